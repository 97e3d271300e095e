import { expect, test } from 'vitest';
import { mediaOf, partFor, shows, wallOf } from './film';
import type { Film } from './types';

const parts = [
  { start_us: 1000, end_us: 2000, media_start_us: 0 },
  { start_us: 5000, end_us: 6000, media_start_us: 1000 },
];

test('a moment is found in the film and back', () => {
  for (const us of [1000, 1500, 1999, 5000, 5999]) expect(wallOf(parts, mediaOf(parts, us))).toBe(us);
});

test('inside a gap what follows it is shown', () => {
  expect(mediaOf(parts, 3000)).toBe(1000);
  expect(mediaOf(parts, 0)).toBe(0);
  expect(mediaOf(parts, 9000)).toBe(2000);
});

test('a film shows only what was recorded', () => {
  const film = { parts } as Film;
  expect([1000, 2000, 4999, 5000, 6000].map((us) => shows(film, us))).toEqual([true, false, false, true, false]);
});

test('of several parts the one that holds the moment is taken, else the next', () => {
  const spans = [
    { start_us: 0, end_us: 1_000_000 },
    { start_us: 1_000_000, end_us: 2_000_000 },
  ];
  expect(partFor(spans, 10)).toBe(spans[0]);
  expect(partFor(spans, 999_999)).toBe(spans[1]);
  expect(partFor(spans, 3_000_000)).toBeUndefined();
});
