import { expect, test } from 'vitest';
import { freeSpot, minutes, seconds } from './follow';

test('times of a way are typed as minutes', () => {
  expect(['1:30', '2', '1,5', '0:45', '120:00'].map(seconds)).toEqual([90, 120, 90, 45, 7200]);
  expect(['', 'x', '0', '0:00', '1:75', '121', '-1'].map(seconds)).toEqual([null, null, null, null, null, null, null]);
  expect([5, 90, 3600].map(minutes)).toEqual(['0:05', '1:30', '60:00']);
});

test('cameras that nobody placed stand apart inside the plan', () => {
  const spots = [0, 1, 2, 3].map((i) => freeSpot(i, i, 4));
  expect(new Set(spots.map((s) => `${s.x.toFixed(3)} ${s.y.toFixed(3)}`)).size).toBe(4);
  expect(freeSpot(1, 0, 2, true)).toEqual({ camera: 1, x: 0.25, y: 0.9 });
  expect(spots.every((s) => s.x > 0 && s.x < 1 && s.y > 0 && s.y < 1)).toBe(true);
});
