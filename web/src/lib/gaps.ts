/** Recording gaps as a person reads them: one row for both streams of a camera, and how long nothing was recorded. */
import { SECOND_US } from './time';
import type { GapCause, GapReport, LedgerGap, StreamKind, StreamReport, TimeSpan } from './types';

export const CAUSES: GapCause[] = ['power', 'network', 'camera', 'login', 'disk', 'overload', 'service', 'planned', 'unknown'];

export interface GapRow {
  camera: number;
  /** Which stream misses it; `both` where the other one misses it too. */
  stream: StreamKind | 'both';
  start_us: number;
  end_us: number;
  cause: GapCause;
  evidence: string;
  planned_by: string | null;
  /** It goes on. */
  open: boolean;
}

/** Gaps of two streams that begin and end so close to each other are one. */
const NEAR_US = 5 * SECOND_US;
/** What is recorded reaches the index a few seconds late; a gap up to now that is no longer may be none. */
const SETTLED_US = 5 * SECOND_US;

function settled(stream: StreamReport): LedgerGap[] {
  return stream.gaps.filter((gap) => !gap.open || gap.end_us - gap.start_us >= SETTLED_US);
}

/** The same for a gap of which only the times are known. */
export function isSettled(gap: TimeSpan, now_us: number): boolean {
  return gap.end_us - gap.start_us >= SETTLED_US || now_us - gap.end_us > 2 * SETTLED_US;
}

/** The gaps of all streams, newest first. */
export function gapRows(reports: GapReport[]): GapRow[] {
  const rows = reports.flatMap((report) => {
    const [first, ...others] = report.streams;
    const rest = others.flatMap((stream) => settled(stream).map((gap) => ({ gap, kind: stream.kind })));
    const out: GapRow[] = [];
    for (const gap of first ? settled(first) : []) {
      const at = rest.findIndex((other) => isSame(gap, other.gap));
      const twin = at < 0 ? undefined : rest.splice(at, 1)[0]?.gap;
      out.push(rowOf(report.camera, twin || report.streams.length === 1 ? 'both' : (first?.kind ?? 'main'), gap, twin));
    }
    out.push(...rest.map(({ gap, kind }) => rowOf(report.camera, kind, gap)));
    return out;
  });
  return rows.sort((a, b) => b.start_us - a.start_us || a.camera - b.camera);
}

function isSame(a: LedgerGap, b: LedgerGap): boolean {
  const near = (x: number, y: number): boolean => Math.abs(x - y) < NEAR_US;
  return a.cause === b.cause && near(a.start_us, b.start_us) && near(a.end_us, b.end_us);
}

function rowOf(camera: number, stream: GapRow['stream'], gap: LedgerGap, twin?: LedgerGap): GapRow {
  return {
    camera,
    stream,
    start_us: Math.min(gap.start_us, twin?.start_us ?? gap.start_us),
    end_us: Math.max(gap.end_us, twin?.end_us ?? gap.end_us),
    cause: gap.cause,
    evidence: gap.evidence,
    planned_by: gap.planned_by,
    open: gap.open || (twin?.open ?? false),
  };
}

export interface Missing {
  /** How long no stream of a camera was recorded, by the cause of the first that was not; all cameras together. */
  none: Map<GapCause, number>;
  /** How long one stream was missing while another was recorded. */
  partly_us: number;
}

/** How long was not recorded, exactly: every moment counts once a camera. */
export function missing(reports: GapReport[]): Missing {
  const out: Missing = { none: new Map(), partly_us: 0 };
  for (const report of reports) {
    const streams = report.streams.filter((stream) => stream.end_us > stream.start_us).map((s) => ({ ...s, gaps: settled(s), at: 0 }));
    const cuts = streams.flatMap((s) => [s.start_us, s.end_us, ...s.gaps.flatMap((gap) => [gap.start_us, gap.end_us])]);
    const times = [...new Set(cuts)].sort((a, b) => a - b);
    for (let i = 0; i + 1 < times.length; i++) {
      const [from, to] = [times[i] ?? 0, times[i + 1] ?? 0];
      const there = streams.filter((s) => s.start_us <= from && to <= s.end_us);
      const gaps = there.map((s) => {
        // Gaps come in order, and so do the times.
        while ((s.gaps[s.at]?.end_us ?? Infinity) <= from) s.at++;
        const gap = s.gaps[s.at];
        return gap && gap.start_us <= from ? gap : undefined;
      });
      const found = gaps.filter((gap) => gap !== undefined);
      const [first] = found;
      if (!first) continue;
      if (found.length === there.length) out.none.set(first.cause, (out.none.get(first.cause) ?? 0) + to - from);
      else out.partly_us += to - from;
    }
  }
  return out;
}
