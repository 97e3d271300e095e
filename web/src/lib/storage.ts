/** How long recordings are kept: the API's shapes, and numbers as a person types them. */
import { decimal } from './format';
import type { StreamKind } from './types';
import type { Lang } from './words';

export const KEEP_FIELDS = ['continuous_days', 'motion_days', 'events_days', 'bytes'] as const;
export type KeepField = (typeof KEEP_FIELDS)[number];

/** `null` days: as long as it fits; `null` bytes: no limit. */
export type Keep = Record<KeepField, number | null>;
export type OwnKeep = Keep & { camera: number; kind: StreamKind };

export interface StorageSettings {
  main: Keep;
  sub: Keep;
  cameras: OwnKeep[];
}

export interface Fits {
  bytes: number;
  spare_days: number | null;
  promised_days: number | null;
}

export interface StoredStream {
  stream: number;
  camera: number;
  code: string;
  name: string;
  kind: StreamKind;
  recorded: boolean;
  bytes: number;
  day_bytes: number | null;
  oldest_us: number | null;
  keep: Keep;
}

export interface Storage {
  disk: { total_bytes: number; free_bytes: number; reserve_bytes: number } | null;
  segments: number;
  bytes: number;
  settings: StorageSettings;
  streams: StoredStream[];
  fits: Fits;
  disks: Fits[];
  waiting: { stopped_us: number; cause: 'settings' | 'clock'; segments: number; bytes: number; events?: number } | null;
}

const GB = 1e9;

/** `1,6 TB`, `500 GB`, `12 MB`: decimal units, as disks are sold. */
export function size(bytes: number, lang: Lang): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${decimal(value, value < 10 && unit > 2 ? 1 : 0, lang)} ${units[unit]}`;
}

/** How many days a kind of stream is kept by the settings for all cameras; `null` while nothing was measured. */
export function heldDays(storage: Pick<Storage, 'settings' | 'streams' | 'fits'>, kind: StreamKind): number | null {
  if (!storage.streams.some((stream) => stream.kind === kind && stream.day_bytes !== null)) return null;
  const wanted = storage.settings[kind].continuous_days;
  const { spare_days, promised_days } = storage.fits;
  return wanted === null ? spare_days : Math.min(wanted, promised_days ?? wanted);
}

/** The days of an estimate: no more exact than it is. */
export function about(days: number, lang: Lang): string {
  return decimal(days, days < 10 ? 1 : 0, lang);
}

/** What a person types: days, and gigabytes for the limit. */
export type Typed = Record<KeepField, string>;

export function typed(keep: Keep): Typed {
  const text = (n: number | null): string => (n === null ? '' : String(n));
  return {
    continuous_days: text(keep.continuous_days),
    motion_days: text(keep.motion_days),
    events_days: text(keep.events_days),
    bytes: keep.bytes === null ? '' : String(Math.round(keep.bytes / GB)),
  };
}

/** Whether it is empty or a whole number from 1. */
export function isNumber(text: string): boolean {
  return /^\s*([1-9]\d{0,8})?\s*$/.test(text);
}

export function meant(from: Typed): Keep {
  const number = (text: string): number | null => (text.trim() === '' ? null : Number(text));
  const gb = number(from.bytes);
  return {
    continuous_days: number(from.continuous_days),
    motion_days: number(from.motion_days),
    events_days: number(from.events_days),
    bytes: gb === null ? null : gb * GB,
  };
}
