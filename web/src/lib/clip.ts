/** Asks for a clip before playing it: a `<video>` cannot show the server's sentence when there is none. */
import { refusalsOf, url } from './api';
import type { AlertEvent, Box, PathPoint, Refusal, StreamKind } from './types';
import { SECOND_US } from './time';

export interface Clip {
  url: string;
  /** When its first picture was taken, if the server says so: it begins at the key frame before the asked start. */
  start_us: number | null;
}

/** Without a wish the server takes the main stream, or the sub stream where the main one has nothing to play. */
export async function findClip(event: AlertEvent, stream: StreamKind | null): Promise<Clip | Refusal[]> {
  const address = url.clip(event, stream);
  const answer = await fetch(address, { headers: { Range: 'bytes=0-0' } });
  if (!answer.ok) return refusalsOf(answer);
  await answer.body?.cancel();
  const start = Number(answer.headers.get('X-Clip-Start-Us') ?? NaN);
  return { url: address, start_us: Number.isSafeInteger(start) && start > 0 ? start : null };
}

/** Where in the clip the event begins, in seconds. */
export function eventOffset(event: AlertEvent, clip: Clip, duration_s: number): number {
  const span = event.clip ?? { start_us: event.start_us, end_us: event.end_us };
  // Without the server's word: a clip longer than asked for is longer at its start, back to the key frame.
  const excess_s = Math.max(0, duration_s - (span.end_us - span.start_us) / SECOND_US);
  const start_us = clip.start_us ?? span.start_us - (event.open ? 0 : excess_s * SECOND_US);
  const offset = (event.start_us - start_us) / SECOND_US;
  return Math.min(Math.max(offset, 0), Math.max(0, duration_s - 0.1));
}

/** Farther from a sighting than this, nobody knows where the object is. */
const NEAR_US = 1_000_000;

/** Where the object was at that time: between two sightings of its path, else nowhere. */
export function boxAt(path: PathPoint[], time_us: number): Box | null {
  const after = path.findIndex((p) => p.time_us >= time_us);
  const b = path[after];
  const a = after > 0 ? path[after - 1] : b;
  if (!a || !b || b.time_us - time_us > NEAR_US || (a !== b && time_us - a.time_us > NEAR_US)) return null;
  const part = b.time_us === a.time_us ? 0 : (time_us - a.time_us) / (b.time_us - a.time_us);
  return a.box.map((v, i) => v + ((b.box[i] ?? v) - v) * part) as Box;
}
