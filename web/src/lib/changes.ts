/** The line on which the server says what changed. One connection stays open for as long as the line is listened to. */
export type ChangeKind = 'config' | 'status' | 'picture' | 'event' | 'alarms' | 'reload';
const KINDS: ChangeKind[] = ['config', 'status', 'picture', 'event', 'alarms', 'reload'];

/** A change with what it is about, or that the line is open or broken. */
export interface Heard {
  kind: ChangeKind | 'open' | 'down';
  id: number | null;
}

/** The browser reconnects by itself except after an answer that is no stream; then this long after. */
const AGAIN_MS = 5000;

export function listen(address: string, tell: (heard: Heard) => void): void {
  const source = new EventSource(address);
  for (const kind of KINDS) {
    source.addEventListener(kind, (message: MessageEvent<string>) => tell({ kind, id: idOf(message.data) }));
  }
  source.onopen = () => tell({ kind: 'open', id: null });
  source.onerror = () => {
    tell({ kind: 'down', id: null });
    if (source.readyState === EventSource.CLOSED) {
      source.close();
      setTimeout(() => listen(address, tell), AGAIN_MS);
    }
  };
}

function idOf(data: string): number | null {
  try {
    const id: unknown = (JSON.parse(data) as { id?: unknown }).id;
    return typeof id === 'number' ? id : null;
  } catch {
    return null;
  }
}
