/** Films of a camera: where a moment lies in one, and which one holds a moment. */
import { url } from './api';
import type { Film, FilmPart, Refusal, StreamKind, TimeSpan } from './types';
import { MINUTE_US } from './time';

/** How much is asked for at once. */
export const WINDOW_US = 10 * MINUTE_US;

/** When the picture at `media_us` of a film was taken. */
export function wallOf(parts: FilmPart[], media_us: number): number {
  let found = parts[0];
  for (const part of parts) if (part.media_start_us <= media_us) found = part;
  if (!found) return 0;
  return Math.min(found.start_us + (media_us - found.media_start_us), found.end_us);
}

/** Where in a film the picture of a moment is; inside a gap, what follows it. */
export function mediaOf(parts: FilmPart[], us: number): number {
  for (const part of parts) {
    if (us < part.start_us) return part.media_start_us;
    if (us < part.end_us) return part.media_start_us + (us - part.start_us);
  }
  const last = parts[parts.length - 1];
  return last ? last.media_start_us + (last.end_us - last.start_us) : 0;
}

/** Whether a film shows that very moment. */
export function shows(film: Film, us: number): boolean {
  return film.parts.some((part) => part.start_us <= us && us < part.end_us);
}

/** Of the parts a refused film can be had in: the one that holds the moment, else the next. */
export function partFor(parts: TimeSpan[], us: number): TimeSpan | undefined {
  return parts.find((part) => us < part.end_us - 1000);
}

/** What a span holds: one film, the parts it can be had in where the picture's settings change within, or why none. */
export interface Holds {
  film: Film | null;
  parts: TimeSpan[];
  refusals: Refusal[];
}

export async function describeFilm(camera: number, from_us: number, to_us: number, stream: StreamKind | null): Promise<Holds> {
  const answer = await fetch(url.filmJson(camera, Math.round(from_us), Math.round(to_us), stream));
  const body = (await answer.json().catch(() => ({}))) as Film & { errors?: Refusal[] };
  if (answer.ok) return { film: body, parts: [], refusals: [] };
  return { film: null, parts: body.parts ?? [], refusals: body.errors ?? [] };
}

/** Asks for the film from a moment on; a change of the picture's settings shortens it. */
export async function findFilm(camera: number, from_us: number, stream: StreamKind | null): Promise<Film | Refusal[]> {
  let [from, to] = [from_us, from_us + WINDOW_US];
  for (let tries = 0; ; tries++) {
    const { film, parts, refusals } = await describeFilm(camera, from, to, stream);
    if (film) return film;
    const part = tries < 2 ? partFor(parts, from_us) : undefined;
    if (!part) return refusals;
    [from, to] = [Math.max(part.start_us, from), part.end_us];
  }
}
