import { describe, expect, it } from 'vitest';
import { boxAt, eventOffset } from './clip';
import type { AlertEvent, PathPoint } from './types';

const S = 1_000_000;
const event = { start_us: 100 * S, end_us: 110 * S, open: false, clip: { start_us: 95 * S, end_us: 115 * S } } as AlertEvent;

describe('where the event begins in its clip', () => {
  it('is counted from the first picture the server names', () => {
    expect(eventOffset(event, { url: '', start_us: 93 * S }, 22)).toBe(7);
  });
  it('else from the end of the clip, which is not moved by key frames', () => {
    expect(eventOffset(event, { url: '', start_us: null }, 22)).toBe(7);
  });
  it('never lies outside a clip that is shorter than it should be', () => {
    expect(eventOffset(event, { url: '', start_us: 95 * S }, 3)).toBeCloseTo(2.9);
    expect(eventOffset(event, { url: '', start_us: 101 * S }, 9)).toBe(0);
  });
});

describe('where the object was', () => {
  const path: PathPoint[] = [
    { time_us: 0, box: [0, 0, 0.2, 0.2] },
    { time_us: S, box: [0.5, 0.5, 0.7, 0.7] },
    { time_us: 9 * S, box: [0.8, 0.8, 1, 1] },
  ];
  it('is between two sightings', () => {
    expect(boxAt(path, S / 2)?.map((v) => Number(v.toFixed(2)))).toEqual([0.25, 0.25, 0.45, 0.45]);
  });
  it('is not guessed far from any sighting', () => {
    expect(boxAt(path, 5 * S)).toBeNull();
    expect(boxAt(path, 20 * S)).toBeNull();
    expect(boxAt([], 0)).toBeNull();
  });
});
