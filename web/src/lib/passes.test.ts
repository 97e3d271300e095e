import { describe, expect, it } from 'vitest';
import { parsePasses, partsOf, passAddress, trackQuery } from './passes';
import { DAY_US } from './time';

const NOW = Date.UTC(2026, 10, 20, 13, 41, 7) * 1000;
const of = (text: string) => parsePasses(new URLSearchParams(text));

describe('the filter over tracks', () => {
  it('survives going to the address and back', () => {
    for (const address of ['/tracks', '/tracks?when=week&class=person&camera=1%2C2&colour=red&part=upper']) {
      expect(passAddress(of(address.split('?')[1] ?? ''))).toBe(address);
    }
  });

  it('leaves out what it cannot use instead of asking the server nonsense', () => {
    expect(passAddress(of('when=never&class=elephant&camera=1;drop&colour=mauve&part=hat'))).toBe('/tracks');
  });

  it('asks for a colour on its part, or anywhere', () => {
    const query = trackQuery(of('colour=red&part=upper'), NOW, 30);
    expect([query.get('upper'), query.has('colour'), query.get('from')]).toEqual(['red', false, String(NOW - DAY_US)]);
    expect(trackQuery(of('colour=blue'), NOW, 30).get('colour')).toBe('blue');
    const none = trackQuery(of('part=body'), NOW, 30);
    expect([none.has('body'), none.has('colour')]).toEqual([false, false]);
  });

  it('knows which parts a class has', () => {
    expect(partsOf('person')).toEqual(['upper', 'lower']);
    expect(partsOf('car')).toEqual(['body']);
    expect(partsOf('')).toHaveLength(3);
  });
});
