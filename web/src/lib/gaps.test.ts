import { describe, expect, it } from 'vitest';
import { gapRows, missing } from './gaps';
import { SECOND_US as S } from './time';
import type { GapCause, GapReport, LedgerGap, StreamKind, StreamReport } from './types';

function gap(from_s: number, to_s: number, cause: GapCause = 'network', open = false): LedgerGap {
  return { id: 1, start_us: from_s * S, end_us: to_s * S, cause, evidence: '', planned_by: null, open };
}
function stream(kind: StreamKind, gaps: LedgerGap[], to_s = 1000): StreamReport {
  return { id: kind === 'main' ? 1 : 2, kind, start_us: 0, end_us: to_s * S, recorded_us: 0, gap_us: 0, removed_us: 0, gaps };
}
const report = (...streams: StreamReport[]): GapReport => ({ camera: 7, streams });

describe('rows of gaps', () => {
  it('are one where both streams miss the same', () => {
    const rows = gapRows([report(stream('main', [gap(10, 30)]), stream('sub', [gap(12, 28)]))]);
    expect(rows).toMatchObject([{ camera: 7, stream: 'both', start_us: 10 * S, end_us: 30 * S }]);
  });
  it('are two where times or causes differ, newest first', () => {
    const rows = gapRows([report(stream('main', [gap(10, 30), gap(50, 60)]), stream('sub', [gap(10, 60, 'login')]))]);
    expect(rows.map((row) => [row.stream, row.start_us / S, row.cause])).toEqual([
      ['main', 50, 'network'],
      ['main', 10, 'network'],
      ['sub', 10, 'login'],
    ]);
  });
  it('say both for a camera of one stream', () => {
    expect(gapRows([report(stream('main', [gap(1, 9)]))])[0]?.stream).toBe('both');
  });
  it('leave out an end that may still be on its way', () => {
    expect(gapRows([report(stream('main', [gap(995, 997, 'unknown', true)]))])).toEqual([]);
    expect(gapRows([report(stream('main', [gap(900, 997, 'unknown', true)]))])).toHaveLength(1);
    expect(gapRows([report(stream('main', [gap(995, 997, 'unknown')]))])).toHaveLength(1);
  });
});

describe('missing time', () => {
  it('counts a moment once, and apart where one stream was still recorded', () => {
    const got = missing([report(stream('main', [gap(10, 30), gap(50, 60, 'login')]), stream('sub', [gap(20, 55)]))]);
    expect([...got.none]).toEqual([
      ['network', 10 * S],
      ['login', 5 * S],
    ]);
    expect(got.partly_us).toBe((10 + 20 + 5) * S);
  });
  it('asks only the streams there are: a main stream taken out of use does not excuse the sub stream', () => {
    const got = missing([report(stream('main', [], 100), stream('sub', [gap(90, 130)]))]);
    expect([...got.none]).toEqual([['network', 30 * S]]);
    expect(got.partly_us).toBe(10 * S);
  });
  it('adds up cameras', () => {
    const one = report(stream('main', [gap(0, 60)]));
    expect([...missing([one, one]).none]).toEqual([['network', 120 * S]]);
  });
});
