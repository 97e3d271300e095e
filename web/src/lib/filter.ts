/** The filter over alerts: what stands in the page's address, and what is asked of the server. */
import { QUICK, quickRange, type Quick, type Range } from './time';
import type { Camera, ObjectClass, RuleKind } from './types';

export const KINDS: RuleKind[] = [
  'motion', 'intrusion', 'line_crossing', 'wrong_way', 'stopped', 'loitering',
  'crowd', 'left_object', 'speeding', 'attribute', 'tamper', 'camera_down',
];
/** Kinds that are not about objects of a class. */
export const CLASSLESS: RuleKind[] = ['motion', 'left_object', 'tamper', 'camera_down'];
export const CLASSES: ObjectClass[] = ['person', 'bicycle', 'motorcycle', 'car', 'bus', 'truck'];

export interface Filter {
  /** A quick choice, or `null` when from and to were chosen. */
  quick: Quick | null;
  range: Range;
  kind: RuleKind | '';
  class: ObjectClass | '';
  /** Camera ids separated by commas; empty: every camera. */
  camera: string;
}

export const DEFAULT_QUICK: Quick = 'day';

function oneOf<T extends string>(value: string | null, allowed: readonly T[]): T | '' {
  return allowed.find((a) => a === value) ?? '';
}

function whole(value: string | null): number | null {
  return value !== null && /^\d{1,16}$/.test(value) ? Number(value) : null;
}

/** Reads the address; what it cannot use it leaves out. */
export function parseFilter(query: URLSearchParams): Filter {
  const from_us = whole(query.get('from'));
  const to_us = whole(query.get('to'));
  const chosen = from_us !== null && to_us !== null && from_us < to_us;
  const camera = query.get('camera') ?? '';
  return {
    quick: chosen ? null : oneOf(query.get('when'), QUICK) || DEFAULT_QUICK,
    range: chosen ? { from_us, to_us } : { from_us: null, to_us: null },
    kind: oneOf(query.get('kind'), KINDS),
    class: oneOf(query.get('class'), CLASSES),
    camera: /^\d+(,\d+)*$/.test(camera) ? camera : '',
  };
}

/** The address of the list under that filter; defaults are left out. */
export function filterAddress(filter: Filter): string {
  const query = new URLSearchParams();
  if (filter.quick === null) {
    query.set('from', String(filter.range.from_us));
    query.set('to', String(filter.range.to_us));
  } else if (filter.quick !== DEFAULT_QUICK) {
    query.set('when', filter.quick);
  }
  if (filter.kind) query.set('kind', filter.kind);
  if (filter.class) query.set('class', filter.class);
  if (filter.camera) query.set('camera', filter.camera);
  const text = query.toString();
  return text ? `/?${text}` : '/';
}

/** The times the filter means at `now_us`. */
export function filterRange(filter: Filter, now_us: number): Range {
  return filter.quick === null ? filter.range : quickRange(filter.quick, now_us);
}

/** What is asked of `/api/v1/events`. */
export function eventQuery(filter: Filter, now_us: number, limit: number): URLSearchParams {
  const { from_us, to_us } = filterRange(filter, now_us);
  const query = new URLSearchParams({ limit: String(limit) });
  if (from_us !== null) query.set('from', String(from_us));
  if (to_us !== null) query.set('to', String(to_us));
  if (filter.kind) query.set('kind', filter.kind);
  if (filter.class) query.set('class', filter.class);
  if (filter.camera) query.set('camera', filter.camera);
  return query;
}

/** How many filters besides the time are set. */
export function filtersOn(filter: Filter): number {
  return [filter.kind, filter.class, filter.camera].filter(Boolean).length;
}

/** Cameras by the name of their cluster, those without one last. */
export function byCluster(cameras: Camera[]): [string, Camera[]][] {
  const groups = new Map<string, Camera[]>();
  for (const camera of cameras) {
    const name = camera.cluster ?? '';
    groups.set(name, [...(groups.get(name) ?? []), camera]);
  }
  return [...groups].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a.localeCompare(b, 'vi')));
}

/** How a choice of several cameras stands in the address. */
export function idsOf(cameras: Camera[]): string {
  return cameras.map((camera) => camera.id).join(',');
}
