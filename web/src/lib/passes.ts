/** Tracks as the page "Lượt đi qua" looks for them: what stands in its address, and what is asked of the server. */
import { CLASSES } from './filter';
import { QUICK, quickRange, type Quick, type Range } from './time';
import type { ColourName, ObjectClass, Track, TrackPart } from './types';

export const COLOURS: ColourName[] = [
  'red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'white', 'grey', 'black',
];
export const PARTS: TrackPart[] = ['upper', 'lower', 'body'];

export interface PassFilter {
  quick: Quick;
  class: ObjectClass | '';
  /** Camera ids separated by commas; empty: every camera. */
  camera: string;
  colour: ColourName | '';
  /** Where the colour is; empty: anywhere. */
  part: TrackPart | '';
}

const DEFAULT_QUICK: Quick = 'day';

function oneOf<T extends string>(value: string | null, allowed: readonly T[]): T | '' {
  return allowed.find((a) => a === value) ?? '';
}

/** Reads the address; what it cannot use it leaves out. */
export function parsePasses(query: URLSearchParams): PassFilter {
  const camera = query.get('camera') ?? '';
  return {
    quick: oneOf(query.get('when'), QUICK) || DEFAULT_QUICK,
    class: oneOf(query.get('class'), CLASSES),
    camera: /^\d+(,\d+)*$/.test(camera) ? camera : '',
    colour: oneOf(query.get('colour'), COLOURS),
    part: oneOf(query.get('part'), PARTS),
  };
}

/** The address of the list under that filter; defaults are left out. */
export function passAddress(filter: PassFilter): string {
  const query = new URLSearchParams();
  if (filter.quick !== DEFAULT_QUICK) query.set('when', filter.quick);
  for (const name of ['class', 'camera', 'colour', 'part'] as const) {
    if (filter[name]) query.set(name, filter[name]);
  }
  const text = query.toString();
  return text ? `/tracks?${text}` : '/tracks';
}

/** What is asked of `/api/v1/tracks`; a part without a colour asks for nothing. */
export function trackQuery(filter: PassFilter, now_us: number, limit: number): URLSearchParams {
  const { from_us, to_us }: Range = quickRange(filter.quick, now_us);
  const query = new URLSearchParams({ limit: String(limit) });
  if (from_us !== null) query.set('from', String(from_us));
  if (to_us !== null) query.set('to', String(to_us));
  if (filter.class) query.set('class', filter.class);
  if (filter.camera) query.set('camera', filter.camera);
  if (filter.colour) query.set(filter.part || 'colour', filter.colour);
  return query;
}

/** The parts that a class can have a colour on; all when the class is open. */
export function partsOf(cls: ObjectClass | ''): TrackPart[] {
  return cls === '' ? PARTS : cls === 'person' ? ['upper', 'lower'] : ['body'];
}

/** The playback address of a track: a little before it began. */
export function trackFilm(track: Track): string {
  return `/playback/${track.camera}?at=${track.start_us - 1_000_000}`;
}
