/** Hears of changes from the server and says when the server is gone. */
import { api, url } from './api';
import { listen, type ChangeKind, type Heard } from './changes';

type Listener = (kind: ChangeKind, id: number | null) => void;

/** A short break (a server restart, a sleeping laptop) is not worth a sentence. */
const QUIET_MS = 4000;

class Live {
  gone: boolean = $state(false);
  #listeners = new Set<Listener>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    const tell = (heard: Heard): void => this.#hear(heard);
    if ('SharedWorker' in window) share(tell);
    else listen(url.changes, tell);
  }

  /** Returns how to stop listening. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #hear(heard: Heard): void {
    if (heard.kind === 'down') {
      this.#timer ??= setTimeout(() => (this.gone = true), QUIET_MS);
      // A session that has ended is told by its refusal.
      void api.me().catch(() => undefined);
    } else if (heard.kind === 'open') {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.gone = false;
      // What happened while nobody listened is not sent again: read everything anew.
      this.#tell('reload', null);
    } else {
      this.#tell(heard.kind, heard.id);
    }
  }

  #tell(kind: ChangeKind, id: number | null): void {
    for (const listener of this.#listeners) listener(kind, id);
  }
}

/** Through the worker that listens for all tabs; where it cannot run, on a line of one's own. */
function share(tell: (heard: Heard) => void): void {
  const worker = new SharedWorker(new URL('./changes.worker.ts', import.meta.url), { type: 'module', name: 'changes' });
  worker.onerror = () => {
    worker.onerror = null;
    listen(url.changes, tell);
  };
  worker.port.onmessage = ({ data }: MessageEvent<Heard>) => tell(data);
  worker.port.postMessage('hello');
  addEventListener('pagehide', () => worker.port.postMessage('bye'));
  // Back from the browser's store of left pages.
  addEventListener('pageshow', (event) => {
    if (event.persisted) worker.port.postMessage('hello');
  });
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
