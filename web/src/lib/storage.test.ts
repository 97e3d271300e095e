import { describe, expect, it } from 'vitest';
import { about, heldDays, isNumber, meant, size, typed } from './storage';

describe('storage', () => {
  it('sizes are said in the units disks are sold in', () => {
    expect(size(1.6e12, 'vi')).toBe('1,6 TB');
    expect(size(500e9, 'vi')).toBe('500 GB');
    expect(size(12.4e6, 'en')).toBe('12 MB');
    expect(size(0, 'en')).toBe('0 B');
    expect(size(16e12, 'en')).toBe('16 TB');
  });

  it('what is typed and what is stored are the same', () => {
    const keep = { continuous_days: 30, motion_days: null, events_days: 365, bytes: 500e9 };
    expect(typed(keep)).toEqual({ continuous_days: '30', motion_days: '', events_days: '365', bytes: '500' });
    expect(meant(typed(keep))).toEqual(keep);
  });

  it('only whole numbers from 1 and nothing at all are taken', () => {
    for (const good of ['', ' ', '1', ' 30 ']) expect(isNumber(good), good).toBe(true);
    for (const bad of ['0', '-1', '1.5', '1,5', 'x', '10000000000']) expect(isNumber(bad), bad).toBe(false);
  });

  it('days without a number are what fits, days with one are no more than fit', () => {
    const keep = (continuous_days: number | null) => ({ continuous_days, motion_days: null, events_days: null, bytes: null });
    const stream = { stream: 1, camera: 1, code: '', name: '', recorded: true, bytes: 0, oldest_us: null, keep: keep(null) };
    const of = (day_bytes: number | null, promised_days: number | null) => ({
      settings: { main: keep(null), sub: keep(30), cameras: [] },
      streams: [{ ...stream, kind: 'main' as const, day_bytes }, { ...stream, kind: 'sub' as const, day_bytes }],
      fits: { bytes: 0, spare_days: 4, promised_days },
    });
    expect(heldDays(of(1, null), 'main')).toBe(4);
    expect(heldDays(of(1, null), 'sub')).toBe(30);
    expect(heldDays(of(1, 12), 'sub')).toBe(12);
    expect(heldDays(of(null, null), 'sub')).toBeNull();
  });

  it('an estimate is no more exact than it is', () => {
    expect(about(2.44, 'vi')).toBe('2,4');
    expect(about(30.7, 'vi')).toBe('31');
  });
});
