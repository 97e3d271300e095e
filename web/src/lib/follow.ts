/** Following from camera to camera: routes, and the plan of cameras. */
import type { ObjectClass, Track } from './types';

export type Heading = 'left' | 'right' | 'near' | 'far';
export const HEADINGS: Heading[] = ['left', 'right', 'near', 'far'];

export interface RouteHead {
  id: number;
  class: ObjectClass;
  case_number: string | null;
  reason: string | null;
  actor: string;
  made_us: number;
}

export interface RouteStep {
  track: Track;
  accepted: boolean;
  /** Seconds from the sighting before. */
  took_s: number | null;
}

export interface Suggestion {
  track: Track;
  score: number;
  took_s: number;
  usual_s: number;
  /** How alike the colours are, 0..1; null: not known. */
  colours: number | null;
  class: number;
  /** Whether it left by the way that leads there; null: not known. */
  exit: boolean | null;
}

export interface Route extends RouteHead {
  steps: RouteStep[];
  suggestions: Suggestion[];
}

export interface RouteDraft {
  track: number;
  case_number?: string | null;
  reason?: string | null;
}

export interface Spot {
  camera: number;
  x: number;
  y: number;
}

export interface Way {
  from: number;
  to: number;
  heading: Heading | null;
  drawn_s: number | null;
  times: number;
  usual_s: number;
  low_s: number;
  high_s: number;
}

export interface Plan {
  spots: Spot[];
  ways: Way[];
}

export interface PlanDraft {
  spots: Spot[];
  ways: { from: number; to: number; heading: Heading | null; drawn_s: number | null }[];
}

/** Where a camera that nobody has placed yet is shown: around a circle, or below the others when some are placed. */
export function freeSpot(camera: number, at: number, of: number, below = false): Spot {
  if (below) return { camera, x: (at + 0.5) / Math.max(of, 1), y: 0.9 };
  const angle = (2 * Math.PI * at) / Math.max(of, 1) - Math.PI / 2;
  return { camera, x: 0.5 + 0.36 * Math.cos(angle), y: 0.5 + 0.36 * Math.sin(angle) };
}

/** Seconds of `1:30`, `90` or `1,5` (minutes); null when it is no time. */
export function seconds(text: string): number | null {
  const typed = text.trim().replace(',', '.');
  const parts = /^(\d{1,3}):([0-5]?\d)$/.exec(typed);
  const whole = parts ? Number(parts[1]) * 60 + Number(parts[2]) : /^\d{1,3}(\.\d+)?$/.test(typed) ? Math.round(Number(typed) * 60) : 0;
  return whole >= 1 && whole <= 7200 ? whole : null;
}

/** `1:30` */
export function minutes(s: number): string {
  const whole = Math.round(s);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
