/** Whether recording is dead somewhere, and the sound that says so. */
import { api, Refused } from './api';
import { cameras } from './cameras.svelte';
import { now } from './now.svelte';
import { said, sentence, w } from './settings.svelte';
import { SECOND_US } from './time';
import { toasts } from './toasts.svelte';
import type { Camera, Notice } from './types';

/** A camera that restarts is not worth an alarm. */
const PATIENCE_US = 30 * SECOND_US;
const EVERY_MS = 8000;
const KEY = 'alarm-sound';

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

const seenKey = (notice: Notice): string => `${notice.id} ${notice.times ?? 1}`;

class Alarm {
  /** Since when each stream has not been streaming, as far as this page knows. */
  #since = new Map<number, number>();
  #sound: AudioContext | undefined;
  #seen: string[] = $state([]);
  wanted: boolean = $state(kept());
  /** The browser lets us make a sound. */
  allowed: boolean = $state(false);

  readonly dead: { camera: Camera; since_us: number }[] = $derived.by(() => this.#find(now.us));
  /** What the server says is wrong, without what was seen here a moment ago. */
  readonly notices: Notice[] = $derived((cameras.status?.alarms ?? []).filter((n) => !this.#seen.includes(seenKey(n))));
  readonly on: boolean = $derived(this.dead.length > 0 || this.notices.length > 0);

  constructor() {
    setInterval(() => {
      if (this.on && this.wanted && this.allowed) this.#ring();
    }, EVERY_MS);
  }

  #find(now_us: number): { camera: Camera; since_us: number }[] {
    const found = [];
    for (const camera of cameras.list) {
      let since_us = Infinity;
      for (const stream of camera.streams) {
        if (stream.status?.state === 'streaming') this.#since.delete(stream.id);
        else {
          const since = this.#since.get(stream.id) ?? now_us;
          this.#since.set(stream.id, since);
          since_us = Math.min(since_us, since);
        }
      }
      if (now_us - since_us > PATIENCE_US) found.push({ camera, since_us });
    }
    return found;
  }

  /** Somebody has seen it; it comes back when it happens again, or when the server did not hear. */
  async see(notice: Notice): Promise<void> {
    const key = seenKey(notice);
    this.#seen.push(key);
    try {
      await api.seen(notice);
    } catch (error) {
      this.#seen = this.#seen.filter((k) => k !== key);
      const why = error instanceof Refused ? error.refusals[0] : undefined;
      toasts.say(why ? sentence(said(why)) : w().failedText, 'bad');
    }
    cameras.refreshStatus();
  }

  /** Called by a click: only then may a page make a sound. */
  async turnOn(): Promise<void> {
    this.#set(true);
    this.#sound ??= new AudioContext();
    await this.#sound.resume();
    this.allowed = this.#sound.state === 'running';
    this.#ring();
  }

  turnOff(): void {
    this.#set(false);
  }

  #set(wanted: boolean): void {
    this.wanted = wanted;
    try {
      localStorage.setItem(KEY, wanted ? 'on' : 'off');
    } catch {
      // storage refused (private window): the choice lasts as long as the page
    }
  }

  /** Two short tones, falling. */
  #ring(): void {
    const sound = this.#sound;
    if (!sound) return;
    const at = sound.currentTime;
    for (const [i, hertz] of [880, 660].entries()) {
      const tone = sound.createOscillator();
      const loud = sound.createGain();
      tone.frequency.value = hertz;
      loud.gain.setValueAtTime(0, at + i * 0.25);
      loud.gain.linearRampToValueAtTime(0.2, at + i * 0.25 + 0.02);
      loud.gain.linearRampToValueAtTime(0, at + i * 0.25 + 0.22);
      tone.connect(loud).connect(sound.destination);
      tone.start(at + i * 0.25);
      tone.stop(at + i * 0.25 + 0.25);
    }
  }
}

export const alarm = new Alarm();
