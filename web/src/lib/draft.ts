/** A rule as it is drawn in the form, and its way to what the server takes and back; pure. */
import { CLASSES, CLASSLESS } from './filter';
import type { IconName } from '../components/Icon.svelte';
import type { Corner, ExtraModel, ObjectClass, Rule, RuleDraft, RuleKind, Severity } from './types';

export type Numbered = 'seconds' | 'count' | 'distance' | 'limit_kmh' | 'width_m' | 'length_m';

/** What a kind asks for, with what it is when nobody says. */
export const FIELDS: Partial<Record<RuleKind, Partial<Record<Numbered, number>>>> = {
  wrong_way: { seconds: 2, distance: 5 },
  stopped: { seconds: 60 },
  loitering: { seconds: 120 },
  crowd: { count: 5, seconds: 10 },
  left_object: { seconds: 60 },
  speeding: { limit_kmh: 40, width_m: 6, length_m: 20 },
  tamper: { seconds: 20 },
  camera_down: { seconds: 60 },
};

export const KIND_ICONS: Record<RuleKind, IconName> = {
  motion: 'motion',
  intrusion: 'zone',
  line_crossing: 'line',
  wrong_way: 'against',
  stopped: 'vehicle',
  loitering: 'person',
  crowd: 'people',
  left_object: 'box',
  speeding: 'gauge',
  attribute: 'tag',
  tamper: 'camera',
  camera_down: 'warn',
};

/** Kinds that can be tried on the tracks that were kept. */
export function canTry(kind: RuleKind): boolean {
  return !CLASSLESS.includes(kind) && kind !== 'attribute';
}

export type Shape = 'line' | 'arrow' | 'ground';

export function shapeOf(kind: RuleKind): Shape | undefined {
  return ({ line_crossing: 'line', wrong_way: 'arrow', speeding: 'ground' } as const)[kind as 'line_crossing' | 'wrong_way' | 'speeding'];
}

export function hasZone(kind: RuleKind): boolean {
  return !['line_crossing', 'speeding', 'tamper', 'camera_down'].includes(kind);
}

export function ofObjects(kind: RuleKind): boolean {
  return !CLASSLESS.includes(kind);
}

/** What the form holds. */
export interface Drawn {
  kind: RuleKind;
  name: string;
  classes: ObjectClass[];
  /** `null`: the whole picture. */
  corners: Corner[] | null;
  /** The points of a line, an arrow or measured ground. */
  points: Corner[];
  direction: 'both' | 'left_to_right' | 'right_to_left';
  severity: Severity;
  numbers: Partial<Record<Numbered, number>>;
  /** Which extra model and what it has to say. */
  model: string;
  label: string;
}

const RIDDEN: RuleKind[] = ['wrong_way', 'stopped', 'speeding'];
const RIDES: ObjectClass[] = ['motorcycle', 'car', 'bicycle', 'bus', 'truck'];

export function usualClasses(kind: RuleKind): ObjectClass[] {
  return RIDDEN.includes(kind) ? RIDES : kind === 'loitering' || kind === 'crowd' ? ['person'] : ['person', ...RIDES];
}

export function fresh(kind: RuleKind): Drawn {
  return {
    kind, name: '', classes: usualClasses(kind), corners: null, points: [], direction: 'both', severity: 'normal',
    numbers: {}, model: '', label: '',
  };
}

/** Whether a zone is the whole picture. */
export function isWhole(zone: Corner[] | null | undefined): boolean {
  const corners = zone ?? [];
  return corners.length === 0 || (corners.length === 4 && corners.every(([x, y]) => (x === 0 || x === 1) && (y === 0 || y === 1)));
}

/** A rule in force as the form shows it. */
export function drawnOf(rule: Rule): Drawn {
  const { seconds, count, distance, limit_kmh } = rule;
  const numbers: Drawn['numbers'] = {};
  for (const [name, value] of Object.entries({ seconds, count, distance, limit_kmh })) {
    if (value != null) numbers[name as Numbered] = value;
  }
  const far = rule.ground_m?.[2];
  if (far) [numbers.width_m, numbers.length_m] = far;
  return {
    kind: rule.kind,
    name: rule.name,
    classes: rule.classes?.length ? rule.classes : [...CLASSES],
    corners: isWhole(rule.zone) ? null : (rule.zone ?? null),
    points: rule.line ?? rule.allowed ?? rule.ground ?? [],
    direction: rule.direction ?? 'both',
    severity: rule.severity ?? 'normal',
    numbers,
    model: rule.model ?? '',
    label: rule.label ?? '',
  };
}

export function numberOf(drawn: Drawn, name: Numbered): number {
  return drawn.numbers[name] ?? FIELDS[drawn.kind]?.[name] ?? 0;
}

/** The keys of the kind alone. */
function ownKeys(drawn: Drawn): Partial<RuleDraft> {
  const { kind, points } = drawn;
  const names = Object.keys(FIELDS[kind] ?? {}) as Numbered[];
  const { width_m, length_m, ...own } = Object.fromEntries(names.map((name) => [name, numberOf(drawn, name)])) as Record<Numbered, number>;
  if (kind === 'line_crossing') return { line: points, direction: drawn.direction };
  if (kind === 'wrong_way') return { ...own, allowed: points };
  if (kind === 'attribute') return { model: drawn.model, label: drawn.label };
  if (kind === 'speeding') {
    return { ...own, ground: points, ground_m: [[0, 0], [width_m, 0], [width_m, length_m], [0, length_m]] };
  }
  return own;
}

/** What the server takes. Of a rule that is changed, what the form does not show stays as it was. */
export function draftOf(drawn: Drawn, camera: string | null, before: Rule | null): RuleDraft {
  const { id: _id, version: _version, zone: _zone, ...kept } = before ?? ({} as Rule);
  const draft: RuleDraft = { ...kept, name: drawn.name, kind: drawn.kind, severity: drawn.severity, ...ownKeys(drawn) };
  if (camera !== null) draft.camera = camera;
  if (hasZone(drawn.kind) && drawn.corners) draft.zone = drawn.corners;
  if (ofObjects(drawn.kind)) draft.classes = CLASSES.filter((c) => drawn.classes.includes(c));
  return draft;
}

/** Whether everything is there that the kind needs. */
export function isComplete(drawn: Drawn): boolean {
  const shape = shapeOf(drawn.kind);
  return (
    (!ofObjects(drawn.kind) || drawn.classes.length > 0) &&
    (!hasZone(drawn.kind) || drawn.corners === null || drawn.corners.length >= 3) &&
    (!shape || drawn.points.length === (shape === 'ground' ? 4 : 2)) &&
    (drawn.kind !== 'attribute' || (drawn.model !== '' && drawn.label !== ''))
  );
}

/** The first thing an extra model can be asked: what it has words for, else its first label. */
export function firstAsk(extra: ExtraModel): { model: string; label: string } {
  return { model: extra.file, label: extra.labels.find((label) => extra.words[label]) ?? extra.labels[0] ?? '' };
}

/** Days with the number of alerts of each of their hours, oldest first; `days` of them up to the one of `end_us`. */
export function byDay(hours: { hour_us: number; n: number }[], starts: number[]): { start_us: number; hours: number[] }[] {
  return starts.map((start_us) => {
    const day = Array.from({ length: 24 }, () => 0);
    for (const { hour_us, n } of hours) {
      const hour = Math.floor((hour_us - start_us) / 3_600_000_000);
      if (hour >= 0 && hour < 24) day[hour] = (day[hour] ?? 0) + n;
    }
    return { start_us, hours: day };
  });
}
