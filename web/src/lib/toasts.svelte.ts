/** Short messages at the foot of the page, and removal with a way back. */
import { Refused } from './api';
import { said, sentence, w } from './settings.svelte';

export interface Toast {
  id: number;
  text: string;
  note?: string | undefined;
  tone: 'plain' | 'bad';
  /** Seconds until the removal is sent; only while it can be undone. */
  seconds?: number | undefined;
  undo?: (() => void) | undefined;
}

const SHOWN_MS = 6000;
const UNDO_S = 8;

export interface Removal {
  name: string;
  note?: string | undefined;
  /** Takes the thing off the page at once … */
  hide: () => void;
  /** … and puts it back after "undo" or a failure. */
  show: () => void;
  /** Sends the removal; `leaving` when the page is being closed. */
  send: (leaving: boolean) => Promise<void>;
}

class Toasts {
  list: Toast[] = $state([]);
  #last = 0;
  #pending = new Map<number, () => void>();

  constructor() {
    // Who removes something and closes the page has still removed it.
    addEventListener('pagehide', () => {
      for (const send of this.#pending.values()) send();
    });
  }

  say(text: string, tone: Toast['tone'] = 'plain', note?: string): void {
    const id = ++this.#last;
    this.list.push({ id, text, tone, note });
    setTimeout(() => this.drop(id), SHOWN_MS);
  }

  /** What was done at once, and can be undone while it is said. */
  offer(text: string, back: () => Promise<string>): void {
    const id = ++this.#last;
    const undo = async (): Promise<void> => {
      this.drop(id);
      try {
        this.say(await back());
      } catch {
        this.say(w().failed, 'bad', w().failedText);
      }
    };
    this.list.push({ id, text, tone: 'plain', undo: () => void undo() });
    setTimeout(() => this.drop(id), UNDO_S * 1000);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** Removal asks no question: it waits eight seconds in which it can be undone. */
  remove(removal: Removal): void {
    const id = ++this.#last;
    const toast: Toast = { id, text: removal.name, note: removal.note, tone: 'plain', seconds: UNDO_S };
    const end = (): void => {
      clearInterval(timer);
      this.#pending.delete(id);
      this.drop(id);
    };
    const send = async (leaving: boolean): Promise<void> => {
      end();
      try {
        await removal.send(leaving);
        this.say(w().removed(removal.name));
      } catch (error) {
        removal.show();
        const why = error instanceof Refused && error.refusals[0];
        this.say(w().removeFailed(removal.name), 'bad', why ? sentence(said(why)) : w().failedText);
      }
    };
    const timer = setInterval(() => {
      const shown = this.list.find((t) => t.id === id);
      if (shown) shown.seconds = (shown.seconds ?? 1) - 1;
      if (!shown || (shown.seconds ?? 0) <= 0) void send(false);
    }, 1000);
    toast.undo = () => {
      end();
      removal.show();
      this.say(w().restored(removal.name));
    };
    this.#pending.set(id, () => void send(true));
    this.list.push(toast);
    removal.hide();
  }
}

export const toasts = new Toasts();
