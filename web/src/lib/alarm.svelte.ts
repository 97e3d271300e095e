/** Whether recording is dead somewhere, and the sound that says so. */
import { cameras } from './cameras.svelte';
import { now } from './now.svelte';
import { SECOND_US } from './time';
import type { Camera } from './types';

/** A camera that restarts is not worth an alarm. */
const PATIENCE_US = 30 * SECOND_US;
/** How long a loss on the disk is spoken of. */
const DISK_US = 120 * SECOND_US;
const EVERY_MS = 8000;
const KEY = 'alarm-sound';

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

class Alarm {
  /** Since when each stream has not been streaming, as far as this page knows. */
  #since = new Map<number, number>();
  #lost: { count: number; at_us: number } | undefined;
  #sound: AudioContext | undefined;
  wanted: boolean = $state(kept());
  /** The browser lets us make a sound. */
  allowed: boolean = $state(false);

  readonly dead: { camera: Camera; since_us: number }[] = $derived.by(() => this.#find(now.us));
  readonly disk: boolean = $derived.by(() => this.#diskAt(now.us));
  readonly on: boolean = $derived(this.dead.length > 0 || this.disk);

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

  #diskAt(now_us: number): boolean {
    const count = cameras.status?.counters['packets_lost'];
    if (count === undefined) return false;
    // What was lost before this page was opened is not new.
    this.#lost ??= { count, at_us: -Infinity };
    if (count !== this.#lost.count) this.#lost = { count, at_us: count > this.#lost.count ? now_us : -Infinity };
    return now_us - this.#lost.at_us < DISK_US;
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
