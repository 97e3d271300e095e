/** Who is signed in, and what they may do. */
import { api, door, Refused } from './api';
import type { Action, Me } from './types';

const AGAIN_MS = 2000;
/** That somebody is there is told at most once in this time. */
const SEEN_MS = 60_000;

class Myself {
  /** `lost`: a session there was has ended. */
  state: 'loading' | 'out' | 'lost' | 'in' = $state('loading');
  /** The server does not answer. */
  gone: boolean = $state(false);
  me: Me | null = $state.raw(null);
  #seen = Date.now();

  /** Returns when it is known whether somebody is signed in. */
  async start(): Promise<void> {
    door.lost = () => {
      if (this.state === 'in') this.state = 'lost';
    };
    for (;;) {
      try {
        this.#take(await api.me());
        break;
      } catch (error) {
        if (error instanceof Refused && error.status === 401) {
          this.state = 'out';
          break;
        }
        this.gone = true;
        await new Promise((again) => setTimeout(again, AGAIN_MS));
      }
    }
    this.gone = false;
    for (const sign of ['pointerdown', 'keydown']) addEventListener(sign, () => this.#here(), { passive: true });
  }

  /** Whether they may do it somewhere. */
  can(action: Action): boolean {
    return this.me?.actions.includes(action) ?? false;
  }

  /** Whether it has to be said first why it is looked at. */
  get owesReason(): boolean {
    return this.me !== null && !this.me.open && this.me.purpose === null;
  }

  async say(purpose: string): Promise<void> {
    await api.setPurpose(purpose);
    if (this.me) this.me = { ...this.me, purpose };
  }

  async signOut(): Promise<void> {
    await api.signOut().catch(() => undefined);
    location.assign('/');
  }

  #take(me: Me): void {
    this.me = me;
    door.token = me.token;
    this.state = 'in';
  }

  /** Pages ask by themselves; only a hand on them keeps a session. */
  #here(): void {
    if (this.state !== 'in' || this.me?.open || Date.now() - this.#seen < SEEN_MS) return;
    this.#seen = Date.now();
    void api.imHere().catch(() => undefined);
  }
}

export const me = new Myself();
