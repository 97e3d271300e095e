/** The cameras as every page sees them; read anew when the server says that something changed. */
import { api } from './api';
import { live, throttled } from './live.svelte';
import { now } from './now.svelte';
import type { Camera, Status } from './types';

const PAUSE_MS = 2000;

class Cameras {
  all: Camera[] = $state.raw([]);
  state: 'loading' | 'ready' | 'failed' = $state('loading');
  status: Status | null = $state.raw(null);
  /** Ids that were removed and can still be taken back. */
  hidden: number[] = $state([]);
  /** How many parts of the page show camera pictures now; without any, new pictures are not asked for. */
  watchers = 0;

  readonly list: Camera[] = $derived(this.all.filter((c) => c.retired_us === null && !this.hidden.includes(c.id)));

  readonly refresh = throttled(PAUSE_MS, () => this.load());
  readonly refreshStatus = throttled(PAUSE_MS, () => this.loadStatus());

  start(): void {
    this.refresh();
    this.refreshStatus();
    setInterval(() => this.refreshStatus(), 30_000);
    live.on((kind) => {
      const wanted = kind === 'picture' ? this.watchers > 0 && !document.hidden : kind !== 'event' && kind !== 'alarms';
      if (wanted) this.refresh();
      if (kind === 'config' || kind === 'alarms' || kind === 'reload') this.refreshStatus();
    });
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.refresh();
    });
  }

  async load(): Promise<void> {
    try {
      this.all = await api.cameras();
      this.state = 'ready';
    } catch {
      if (this.state === 'loading') this.state = 'failed';
    }
  }

  async loadStatus(): Promise<void> {
    try {
      const status = await api.status();
      now.setServer(status.now_us);
      this.status = status;
    } catch {
      // the banner of `live` says that the server is gone
    }
  }

  find(id: number): Camera | undefined {
    return this.list.find((camera) => camera.id === id);
  }

  /** Puts the server's answer to a change on the page without waiting for the next reading. */
  put(camera: Camera): void {
    const others = this.all.filter((c) => c.id !== camera.id);
    this.all = [...others, camera].sort((a, b) => a.id - b.id);
  }
}

export const cameras = new Cameras();
