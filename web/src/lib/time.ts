/**
 * Local time of the commune: always Asia/Ho_Chi_Minh, whatever the visitor's machine is set to. Viet Nam is UTC+7 the
 * year round (no summer time since 1975), so plain arithmetic is exact and the same in every browser.
 */

export const SECOND_US = 1_000_000;
export const MINUTE_US = 60 * SECOND_US;
export const HOUR_US = 60 * MINUTE_US;
export const DAY_US = 24 * HOUR_US;
const OFFSET_US = 7 * HOUR_US;

const two = (n: number): string => String(n).padStart(2, '0');

function local(us: number): Date {
  return new Date(Math.floor((us + OFFSET_US) / 1000));
}

/** `20:41:07` */
export function clock(us: number): string {
  const d = local(us);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** `20:41` */
export function clockShort(us: number): string {
  return clock(us).slice(0, 5);
}

/** `20/11/2026` */
export function date(us: number): string {
  const d = local(us);
  return `${two(d.getUTCDate())}/${two(d.getUTCMonth() + 1)}/${d.getUTCFullYear()}`;
}

/** `20/11` */
export function dateShort(us: number): string {
  return date(us).slice(0, 5);
}

/** `20/11/2026 20:41:07` */
export function dateTime(us: number): string {
  return `${date(us)} ${clock(us)}`;
}

/** 0 is Sunday. */
export function weekday(us: number): number {
  return local(us).getUTCDay();
}

/** The first microsecond of the local day that holds `us`. */
export function dayStart(us: number): number {
  return Math.floor((us + OFFSET_US) / DAY_US) * DAY_US - OFFSET_US;
}

/** Year, month (1..12) and day of the local date. */
export function parts(us: number): { year: number; month: number; day: number } {
  const d = local(us);
  return { year: d.getUTCFullYear(), month: d.getUTCMonth() + 1, day: d.getUTCDate() };
}

/** The first microsecond of that local date; a day past the month's end rolls over. */
export function fromDate(year: number, month: number, day: number): number {
  return Date.UTC(year, month - 1, day) * 1000 - OFFSET_US;
}

/** The quick choices over the list of alerts. */
export type Quick = 'day' | 'today' | 'evening' | 'week' | 'all';
export const QUICK: Quick[] = ['day', 'today', 'evening', 'week', 'all'];

export interface Range {
  from_us: number | null;
  /** Exclusive; `null` means until now and whatever still comes. */
  to_us: number | null;
}

/** What a quick choice means at `now`: half-open, in UTC microseconds. */
export function quickRange(quick: Quick, now_us: number): Range {
  const today = dayStart(now_us);
  switch (quick) {
    case 'day':
      return { from_us: now_us - DAY_US, to_us: null };
    case 'today':
      return { from_us: today, to_us: null };
    case 'evening':
      return { from_us: today - 6 * HOUR_US, to_us: today };
    case 'week':
      return { from_us: today - 6 * DAY_US, to_us: null };
    case 'all':
      return { from_us: null, to_us: null };
  }
}

/** `20/11/2026 20:41:07–20:45:00`, `20/11/2026 23:50:00 – 21/11/2026 00:05:00`. */
export function spanText(span: { start_us: number; end_us: number }): string {
  const sameDay = dayStart(span.start_us) === dayStart(span.end_us);
  return sameDay ? `${dateTime(span.start_us)}–${clock(span.end_us)}` : `${dateTime(span.start_us)} – ${dateTime(span.end_us)}`;
}

/** The moment a person means by `20:41:07`, `20:41` or `20h41` on the day that holds `near_us`; 24:00 ends it. */
export function clockTime(text: string, near_us: number): number | null {
  const found = /^\s*(\d{1,2})\s*[:hg.]\s*(\d{1,2})(?:\s*[:.]\s*(\d{1,2}))?\s*$/.exec(text);
  if (!found) return null;
  const [hours, minutes, seconds] = [found[1], found[2], found[3] ?? 0].map(Number) as [number, number, number];
  const inDay = hours * HOUR_US + minutes * MINUTE_US + seconds * SECOND_US;
  return minutes > 59 || seconds > 59 || inDay > DAY_US ? null : dayStart(near_us) + inDay;
}

/** `20/11 18:00–24:00`, `20/11 18:00 – 21/11 06:00`, `từ 20/11 18:00`: how a range is said. */
export function rangeText(range: Range, since: string): string {
  if (range.from_us === null) return '';
  const start = `${dateShort(range.from_us)} ${clockShort(range.from_us)}`;
  if (range.to_us === null) return `${since} ${start}`;
  const sameDay = dayStart(range.from_us) === dayStart(range.to_us - 1);
  const midnight = dayStart(range.to_us) === range.to_us;
  const end = midnight ? '24:00' : clockShort(range.to_us);
  return sameDay ? `${start}–${end}` : `${start} – ${dateShort(range.to_us - 1)} ${end}`;
}
