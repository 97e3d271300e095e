/** Hears of changes from the server and says when the server is gone. */
import { url } from './api';

export type ChangeKind = 'config' | 'status' | 'picture' | 'event' | 'reload';
const KINDS: ChangeKind[] = ['config', 'status', 'picture', 'event', 'reload'];
type Listener = (kind: ChangeKind, id: number | null) => void;

/** A short break (a server restart, a sleeping laptop) is not worth a sentence. */
const QUIET_MS = 4000;
/** The browser reconnects by itself except after an answer that is no stream; then this long after. */
const AGAIN_MS = 5000;

class Live {
  gone: boolean = $state(false);
  #listeners = new Set<Listener>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #missed = false;

  start(): void {
    const source = new EventSource(url.changes);
    for (const kind of KINDS) {
      source.addEventListener(kind, (message: MessageEvent<string>) => this.#tell(kind, idOf(message.data)));
    }
    source.onopen = () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.gone = false;
      // What happened while nobody listened is not sent again: read everything anew.
      if (this.#missed) this.#tell('reload', null);
      this.#missed = false;
    };
    source.onerror = () => {
      this.#missed = true;
      this.#timer ??= setTimeout(() => (this.gone = true), QUIET_MS);
      if (source.readyState === EventSource.CLOSED) {
        source.close();
        setTimeout(() => this.start(), AGAIN_MS);
      }
    };
  }

  /** Returns how to stop listening. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(kind: ChangeKind, id: number | null): void {
    for (const listener of this.#listeners) listener(kind, id);
  }
}

function idOf(data: string): number | null {
  try {
    const id: unknown = (JSON.parse(data) as { id?: unknown }).id;
    return typeof id === 'number' ? id : null;
  } catch {
    return null;
  }
}

export const live = new Live();

/** Runs `work` now, then at most once in `pause_ms`, a last time after the last call. Never twice at once. */
export function throttled(pause_ms: number, work: () => Promise<void>): () => void {
  let busy = false;
  let again = false;
  const run = (): void => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    void work().finally(() => {
      setTimeout(() => {
        busy = false;
        if (again) {
          again = false;
          run();
        }
      }, pause_ms);
    });
  };
  return run;
}
