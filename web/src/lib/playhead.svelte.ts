/** The hand of the playback page: which film is in the player, and what moment it shows. */
import { url } from './api';
import { findFilm, mediaOf, shows, wallOf } from './film';
import { now } from './now.svelte';
import { SECOND_US } from './time';
import type { Film, Refusal, StreamKind, TimeSpan } from './types';

/** Closer to now than this there is no more film yet. */
const EDGE_US = 15 * SECOND_US;
const AGAIN_MS = 4000;

export class Playhead {
  /** The moment shown. */
  at: number = $state(0);
  film: Film | null = $state.raw(null);
  src: string | null = $state(null);
  state: 'loading' | 'ready' | 'none' | 'failed' | 'unplayable' = $state('loading');
  refusals: Refusal[] = $state.raw([]);
  /** From where to where the hand was moved on because there was nothing. */
  jumped: { from_us: number; to_us: number } | null = $state.raw(null);
  /** Everything there is has been shown. */
  atNow: boolean = $state(false);
  wanted: boolean = $state(true);
  /** Nobody sees it: the film was let go. */
  resting: boolean = $state(false);
  /** The main stream cannot be played here. */
  sub: boolean = $state(false);
  video: HTMLVideoElement | undefined;
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly camera: number,
    readonly hasSub: boolean,
    /** What was recorded, as the bar knows it. */
    readonly recorded: () => TimeSpan[],
  ) {}

  close(): void {
    this.#asked++;
    clearTimeout(this.#timer);
  }

  /** Lets the film go; `seek` brings it back. */
  rest(): void {
    this.close();
    this.resting = true;
    [this.film, this.src, this.state] = [null, null, 'loading'];
  }

  /** Goes to a moment. */
  seek(us: number): void {
    const to = Math.min(us, now.us);
    this.jumped = null;
    this.atNow = false;
    this.resting = false;
    clearTimeout(this.#timer);
    this.at = to;
    if (this.film && this.video && this.video.readyState > 0 && this.state === 'ready' && shows(this.film, to)) {
      this.#asked++;
      this.video.currentTime = mediaOf(this.film.parts, to) / SECOND_US;
      if (this.wanted) void this.video.play().catch(() => undefined);
    } else {
      void this.#load(to, true);
    }
  }

  async #load(us: number, mayJump: boolean): Promise<void> {
    const asked = ++this.#asked;
    this.state = 'loading';
    const stream: StreamKind | null = this.sub ? 'sub' : null;
    let found: Film | Refusal[];
    try {
      found = await findFilm(this.camera, us, stream);
    } catch {
      if (asked === this.#asked) this.state = 'failed';
      return;
    }
    if (asked !== this.#asked) return;
    this.atNow = false;
    if (Array.isArray(found)) {
      const next = this.recorded().find((span) => span.start_us > us);
      if (next && mayJump) {
        this.jumped = { from_us: us, to_us: next.start_us };
        this.at = next.start_us;
        return this.#load(next.start_us, false);
      }
      this.refusals = found;
      [this.film, this.src, this.state] = [null, null, 'none'];
      return;
    }
    if (document.createElement('video').canPlayType(found.mime) === '') {
      if (found.stream === 'main' && this.hasSub && !this.sub) {
        this.sub = true;
        return this.#load(us, mayJump);
      }
      [this.film, this.src, this.state] = [found, null, 'unplayable'];
      return;
    }
    const first = found.parts[0];
    // Asked for inside a gap: say that what is shown is later.
    if (first && first.start_us > us + SECOND_US) this.jumped ??= { from_us: us, to_us: first.start_us };
    this.at = Math.max(us, first?.start_us ?? us);
    this.film = found;
    this.src = url.film(this.camera, found.start_us, found.end_us, found.stream);
    this.state = 'ready';
  }

  /** The player knows the film. */
  loaded(): void {
    if (!this.film || !this.video) return;
    this.video.currentTime = mediaOf(this.film.parts, this.at) / SECOND_US;
    if (this.wanted) void this.video.play().catch(() => undefined);
  }

  /** The player refused what the browser said it could play. */
  failed(): void {
    if (!this.src) return;
    if (this.film?.stream === 'main' && this.hasSub && !this.sub) {
      this.sub = true;
      void this.#load(this.at, false);
    } else {
      this.state = 'unplayable';
    }
  }

  /** The player shows another picture. */
  follow(): void {
    const { video, film } = this;
    if (film && video && this.state === 'ready' && video.readyState >= 2 && !video.seeking) {
      this.at = wallOf(film.parts, video.currentTime * SECOND_US);
    }
  }

  /** Goes on where there is no player that does. */
  step(us: number): void {
    if (!this.film || !this.wanted || this.state !== 'unplayable') return;
    const at = mediaOf(this.film.parts, this.at) + us;
    if (at < this.film.duration_us) this.at = wallOf(this.film.parts, at);
    else this.ended();
  }

  /** The film is over: the next one, or now. */
  ended(): void {
    if (!this.film || this.atNow) return;
    const end = this.film.end_us;
    if (now.us - end > EDGE_US) {
      this.#timer = undefined;
      void this.#load(end + 1, true);
    } else {
      this.atNow = true;
      this.#timer = setTimeout(() => {
        if (this.wanted) void this.#load(end + 1, false);
      }, AGAIN_MS);
    }
  }

  toggle(): void {
    this.wanted = !this.wanted;
    if (!this.video) return;
    if (this.wanted) void this.video.play().catch(() => undefined);
    else this.video.pause();
  }
}
