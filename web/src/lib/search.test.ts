import { expect, test } from 'vitest';
import { instead, parseSearch, searchAddress, searchQuery, without, type SearchChip } from './search';

const chip = (at: [number, number] | null): SearchChip => ({
  about: 'time', vi: '', en: '', used: true, note: null, at, others: [],
});

test('a question comes back from its address', () => {
  for (const asked of [
    { text: 'xe máy đỏ tối qua & chợ', what: 'all' as const },
    { text: '', what: 'event' as const },
  ]) {
    const address = searchAddress(asked);
    expect(parseSearch(new URL(address, 'http://x').searchParams)).toEqual(asked);
  }
  expect(searchAddress({ text: '', what: 'all' })).toBe('/search');
  expect(parseSearch(new URLSearchParams('what=all-of-it&q=%20a%20'))).toEqual({ text: 'a', what: 'all' });
  expect(searchQuery({ text: 'a', what: 'track' }, 30, true).toString()).toBe('limit=30&q=a&what=track&colour=unknown');
});

test('a chip is taken out of the line or written otherwise', () => {
  const text = 'xm đỏ tối qua chợ';
  expect(without(text, chip([6, 13]))).toBe('xm đỏ chợ');
  expect(instead(text, chip([6, 13]), 'hôm nay')).toBe('xm đỏ hôm nay chợ');
  expect(instead(text, chip(null), 'hôm nay')).toBe('xm đỏ tối qua chợ hôm nay');
  expect(without(text, chip(null))).toBe(text);
});
