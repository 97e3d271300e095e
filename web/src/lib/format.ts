/** Numbers, durations and scores in words; pure, the language's words are an argument. */
import type { AlertEvent, Camera, ObjectClass, RuleKind, Stream } from './types';
import type { CameraState, Lang, Words } from './words';
import { CLASSLESS } from './filter';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US } from './time';

/** `4,2` in Vietnamese, `4.2` in English; no trailing zeros. */
export function decimal(value: number, digits: number, lang: Lang): string {
  const text = String(Number(value.toFixed(digits)));
  return lang === 'vi' ? text.replace('.', ',') : text;
}

/** `0,4 giây`, `12 phút`, `1 giờ 05 phút`, `2 ngày 03 giờ`: two units at most, never both coarse and fine. */
export function duration(us: number, w: Words, lang: Lang): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const span = Math.max(0, us);
  if (span < 10 * SECOND_US) return w.second(decimal(span / SECOND_US, 1, lang));
  const seconds = Math.round(span / SECOND_US);
  if (seconds < 60) return w.second(String(seconds));
  if (span < 10 * MINUTE_US && seconds % 60 !== 0) {
    return `${w.minute(String(Math.floor(seconds / 60)))} ${w.second(two(seconds % 60))}`;
  }
  const minutes = Math.round(span / MINUTE_US);
  if (minutes < 60) return w.minute(String(minutes));
  if (span < DAY_US && minutes < 24 * 60) {
    const rest = minutes % 60;
    return rest === 0 ? w.hour(String(minutes / 60)) : `${w.hour(String(Math.floor(minutes / 60)))} ${w.minute(two(rest))}`;
  }
  const hours = Math.round(span / HOUR_US);
  const rest = hours % 24;
  return rest === 0 ? w.day(String(hours / 24)) : `${w.day(String(Math.floor(hours / 24)))} ${w.hour(two(rest))}`;
}

/** `12 giây trước`: one coarse unit, for the age of a picture. */
export function age(us: number, w: Words): string {
  if (us < 2 * SECOND_US) return w.justNow;
  if (us < MINUTE_US) return w.ago(w.second(String(Math.floor(us / SECOND_US))));
  if (us < HOUR_US) return w.ago(w.minute(String(Math.floor(us / MINUTE_US))));
  if (us < DAY_US) return w.ago(w.hour(String(Math.floor(us / HOUR_US))));
  return w.ago(w.day(String(Math.floor(us / DAY_US))));
}

/** A score in words: what it means for the reader, not a percentage that looks like a probability. */
export function scoreWord(kind: RuleKind, score: number, w: Words): string {
  if (kind === 'motion') {
    return score >= 0.25 ? w.motionScore.strong : score >= 0.05 ? w.motionScore.fair : w.motionScore.weak;
  }
  return score >= 0.8 ? w.score.strong : score >= 0.6 ? w.score.good : score >= 0.4 ? w.score.fair : w.score.weak;
}

/** `Người vào vùng theo dõi`, `Có chuyển động`. */
export function eventTitle(kind: RuleKind, cls: ObjectClass | null, w: Words): string {
  if (kind === 'intrusion') return cls ? w.entered(w.classes[cls] ?? cls) : w.somethingEntered;
  const named = w.kinds[kind] ?? kind;
  return cls && !CLASSLESS.includes(kind) ? `${w.classes[cls] ?? cls}: ${named.toLocaleLowerCase()}` : named;
}

/** How long an event lasted, or has lasted so far. */
export function eventDuration(event: AlertEvent, w: Words, lang: Lang): string {
  const text = duration(event.end_us - event.start_us, w, lang);
  return event.open ? w.soFar(text) : text;
}

/** Shares of the picture are said in percent. */
const SHARES = new Set(['motion_area_max']);
/** Said elsewhere on the page, in words. */
const SAID = new Set([
  'k', 'n', 'seconds', 'left_to_right', 'right_to_left', 'metres', 'angle_deg', 'count_max', 'speed_kmh', 'error_kmh', 'limit_kmh',
  'votes', 'agreeing', 'share', 'fault', 'width', 'height',
]);

/** The numbers that made an alert fire, as label and value; one without a word of ours keeps its own name. */
export function eventNumbers(event: Pick<AlertEvent, 'kind' | 'score' | 'numbers'>, w: Words, lang: Lang): [string, string][] {
  const { k, n } = event.numbers;
  const needed: [string, string][] = k !== undefined && n !== undefined ? [[w.needed, w.ofPictures(k, n)]] : [];
  const score: [string, string][] = event.kind === 'motion' ? [] : [[w.score.label, decimal(event.score, 2, lang)]];
  const others = Object.entries(event.numbers)
    .filter(([name]) => !SAID.has(name))
    .map(([name, value]): [string, string] => [
      w.numbers[name] ?? name.replaceAll('_', ' '),
      SHARES.has(name) ? `${decimal(value * 100, 1, lang)} %` : decimal(value, 2, lang),
    ]);
  return [...score, ...others, ...needed];
}

/** How one stream is doing, as a word of the screen. */
export function streamState(stream: Stream): CameraState {
  switch (stream.status?.state) {
    case 'streaming':
      return 'up';
    case 'connecting':
      return 'connecting';
    case 'retrying':
      return stream.status.why?.cause === 'login' ? 'login' : 'lost';
    default:
      return 'unknown';
  }
}

const WORST_FIRST: CameraState[] = ['login', 'lost', 'unknown', 'connecting', 'up'];

/** The streams that are fetched: a main stream that is not to be recorded is not, so it cannot be lost. */
export function fetched(camera: Camera): Stream[] {
  return camera.streams.filter((stream) => stream.kind === 'sub' || camera.record_main);
}

/** How a camera is doing: as badly as its worse stream, so that a lost main stream never hides behind a sub stream. */
export function cameraState(camera: Camera): CameraState {
  const states = fetched(camera).map(streamState);
  return WORST_FIRST.find((state) => states.includes(state)) ?? 'unknown';
}

/** What needs a person comes first: 0 is worst. */
export function stateRank(state: CameraState): number {
  return WORST_FIRST.indexOf(state);
}
