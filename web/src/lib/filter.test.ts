import { describe, expect, it } from 'vitest';
import { eventQuery, filterAddress, parseFilter } from './filter';
import { DAY_US } from './time';

const NOW = Date.UTC(2026, 10, 20, 13, 41, 7) * 1000;
const of = (text: string) => parseFilter(new URLSearchParams(text));

describe('the filter in the address', () => {
  it('survives going to the address and back', () => {
    for (const address of ['/', '/?when=evening&kind=intrusion&class=person&camera=1%2C2', '/?from=1000&to=2000']) {
      expect(filterAddress(of(address.slice(2)))).toBe(address);
    }
  });

  it('leaves out what it cannot use instead of asking the server nonsense', () => {
    const filter = of('when=never&kind=dance&class=elephant&camera=1;drop&from=5&to=3');
    expect(filterAddress(filter)).toBe('/');
    expect(filter.quick).toBe('day');
  });

  it('asks the server in microseconds', () => {
    const query = eventQuery(of('kind=motion'), NOW, 30);
    expect(query.get('from')).toBe(String(NOW - DAY_US));
    expect(query.has('to')).toBe(false);
    expect(query.get('kind')).toBe('motion');
  });
});
