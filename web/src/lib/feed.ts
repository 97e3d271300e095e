/** A live view: fragments from a WebSocket into a Media Source, kept short and close to now. */
import { door, url } from './api';
import type { Refusal, StreamKind } from './types';
import { release } from './view.svelte';

const AGAIN_MS = 2000;
/** Farther behind than this, the picture jumps forward; seconds. */
const BEHIND_MAX_S = 1.5;
/** Farther behind than this, it goes a little faster. */
const BEHIND_S = 0.8;
const FASTER = 1.1;
/** Where it jumps to, before the end of what is there: two pieces of a fifth of a second. */
const MARGIN_S = 0.4;
/** What is kept behind the picture. */
const KEPT_S = 20;
/** Pieces that may wait for the browser's decoder: most of a minute. */
const WAITING_MAX = 256;

export interface Heard {
  /** Another film begins: its time 0. */
  onstart: (start_us: number) => void;
  /** The browser cannot play it. */
  onunplayable: (mime: string) => void;
  /** The server will not show it now; it is asked again. */
  onrefused: (why: Refusal) => void;
}

/** Whether this browser can play fragments at all. */
export function canStream(): boolean {
  return 'MediaSource' in window;
}

export class Feed {
  #socket: WebSocket | undefined;
  #source: MediaSource | undefined;
  #buffer: SourceBuffer | undefined;
  #waiting: ArrayBuffer[] = [];
  #address: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(
    readonly video: HTMLVideoElement,
    readonly camera: number,
    readonly stream: StreamKind,
    readonly heard: Heard,
  ) {
    this.#open();
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#drop();
    release(this.video);
  }

  #open(): void {
    const socket = new WebSocket(url.live(this.camera, this.stream), door.token ? ['vonglau', door.token] : ['vonglau']);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
      if (typeof message.data === 'string') this.#begin(message.data);
      else this.#take(message.data);
    };
    socket.onclose = () => {
      if (!this.#over) this.#timer = setTimeout(() => this.#open(), AGAIN_MS);
    };
    this.#socket = socket;
  }

  #drop(): void {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#source = this.#buffer = this.#address = undefined;
    this.#waiting = [];
  }

  #begin(text: string): void {
    const said = JSON.parse(text) as { mime?: string; start_us?: number; errors?: Refusal[] };
    if (said.errors?.[0]) this.heard.onrefused(said.errors[0]);
    if (!said.mime) return;
    if (!MediaSource.isTypeSupported(said.mime)) {
      this.heard.onunplayable(said.mime);
      return;
    }
    this.#drop();
    const [source, mime] = [new MediaSource(), said.mime];
    this.#source = source;
    this.#address = URL.createObjectURL(source);
    source.addEventListener('sourceopen', () => {
      if (this.#source !== source) return;
      const buffer = source.addSourceBuffer(mime);
      buffer.addEventListener('updateend', () => this.#feed());
      this.#buffer = buffer;
      this.#feed();
    });
    this.video.src = this.#address;
    void this.video.play().catch(() => undefined);
    this.heard.onstart(said.start_us ?? 0);
  }

  #take(bytes: ArrayBuffer): void {
    if (!this.#source) return;
    this.#waiting.push(bytes);
    if (this.#waiting.length > WAITING_MAX) {
      // A hidden page may not decode: begin anew when it is seen again.
      this.#socket?.close();
      this.#drop();
      return;
    }
    this.#feed();
  }

  #feed(): void {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#source?.readyState !== 'open') return;
    this.#stayClose();
    const first = buffer.buffered.length > 0 ? buffer.buffered.start(0) : 0;
    try {
      if (this.video.currentTime - first > 2 * KEPT_S) {
        buffer.remove(first, this.video.currentTime - KEPT_S);
        return;
      }
      const next = this.#waiting.shift();
      if (next) buffer.appendBuffer(next);
    } catch {
      // The decoder refused: begin anew.
      this.#socket?.close();
      this.#drop();
    }
  }

  /** Live means now: jumps over holes, and forward when too much has gathered. */
  #stayClose(): void {
    const { buffered, currentTime } = this.video;
    if (buffered.length === 0) return;
    const last = buffered.length - 1;
    const [start, end] = [buffered.start(last), buffered.end(last)];
    const behind = end - currentTime;
    if (currentTime < start || behind > BEHIND_MAX_S) this.video.currentTime = Math.max(start, end - MARGIN_S);
    const rate = behind > BEHIND_S ? FASTER : 1;
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
    if (this.video.paused) void this.video.play().catch(() => undefined);
  }
}
