/** Search as the page has it: the line in its address, how the server understood it, and what it found. */
import type { AlertEvent, GapCause, TimeSpan, Track } from './types';

export interface Said {
  vi: string;
  en: string;
}

export type About =
  | 'time' | 'class' | 'colour' | 'event' | 'place' | 'direction' | 'size' | 'dwell' | 'riders' | 'plate' | 'behaviour'
  | 'words' | 'cameras' | 'ignored';

/** How a part of the line was understood. */
export interface SearchChip extends Said {
  about: About;
  /** Whether the search follows it. */
  used: boolean;
  note: Said | null;
  /** Where in the line, in UTF-16 units; null: not typed. */
  at: [number, number] | null;
  /** Other readings: the whole line with each. */
  others: { word: string; text: string }[];
}

export interface SearchPage {
  understood: {
    intent: 'find' | 'camera_state';
    chips: SearchChip[];
    spans: TimeSpan[];
    cameras: number[];
    by_colour: boolean;
  };
  results: { source: 'track' | 'event'; track: Track | null; event: AlertEvent | null }[];
  next: string | null;
  coverage: { not_recorded: NotRecorded[]; down: CameraDown[] };
}

export interface NotRecorded {
  camera: number;
  camera_code: string;
  camera_name: string;
  /** null: more holes than can be looked through. */
  us: number | null;
  holes: TimeSpan[];
}

export interface CameraDown {
  camera: number;
  camera_code: string;
  camera_name: string;
  since_us: number;
  cause: GapCause;
  evidence: string;
}

export type What = 'all' | 'track' | 'event';
export const WHATS: What[] = ['all', 'track', 'event'];

export interface Asked {
  text: string;
  what: What;
}

/** Reads the address; what it cannot use it leaves out. */
export function parseSearch(query: URLSearchParams): Asked {
  const what = WHATS.find((w) => w === query.get('what')) ?? 'all';
  return { text: (query.get('q') ?? '').trim(), what };
}

/** The address of a question; defaults are left out. */
export function searchAddress(asked: Asked): string {
  const query = new URLSearchParams();
  if (asked.text) query.set('q', asked.text);
  if (asked.what !== 'all') query.set('what', asked.what);
  const text = query.toString();
  return text ? `/search?${text}` : '/search';
}

/** What is asked of `/api/v1/search`. */
export function searchQuery(asked: Asked, limit: number, unknownColour = false): URLSearchParams {
  const query = new URLSearchParams({ limit: String(limit) });
  if (asked.text) query.set('q', asked.text);
  if (asked.what !== 'all') query.set('what', asked.what);
  if (unknownColour) query.set('colour', 'unknown');
  return query;
}

/** The line without a chip's words. */
export function without(text: string, chip: SearchChip): string {
  return chip.at ? tidy(`${text.slice(0, chip.at[0])} ${text.slice(chip.at[1])}`) : text;
}

/** The line with other words for a chip's; one that was not typed is put at the end. */
export function instead(text: string, chip: SearchChip, words: string): string {
  return chip.at ? tidy(`${text.slice(0, chip.at[0])} ${words} ${text.slice(chip.at[1])}`) : tidy(`${text} ${words}`);
}

function tidy(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
