import { describe, expect, it } from 'vitest';
import { byDay, draftOf, drawnOf, firstAsk, fresh, isComplete } from './draft';
import type { Rule } from './types';

const RULE: Rule = {
  id: 7, version: 3, name: 'Đường một chiều', kind: 'wrong_way', camera: 'C07', classes: ['motorcycle'], severity: 'high',
  zone: [[0, 0], [1, 0], [1, 1]], allowed: [[0.1, 0.5], [0.9, 0.5]], seconds: 3, distance: 8, angle_deg: 120,
  min_score: 0.4, schedule: ['22:00-05:00'], quiet: ['11:00-13:00'], except: [[0, 0, 0.2, 0.2]], cooldown_s: 2,
};

describe('a rule in the form', () => {
  it('keeps what the form does not show, and changes what it does', () => {
    const { id: _id, version: _version, ...same } = RULE;
    expect(draftOf(drawnOf(RULE), 'C07', RULE)).toEqual(same);
    const drawn = { ...drawnOf(RULE), corners: null, numbers: { seconds: 5 }, severity: 'low' as const };
    const changed = draftOf(drawn, 'C07', RULE);
    expect(changed).toMatchObject({ seconds: 5, distance: 5, severity: 'low', min_score: 0.4, quiet: ['11:00-13:00'] });
    expect('zone' in changed).toBe(false);
  });

  it('sends only the keys of its kind', () => {
    const line = { ...fresh('line_crossing'), name: 'x', points: [[0, 0.5], [1, 0.5]] as [number, number][] };
    expect(Object.keys(draftOf(line, 'C01', null)).sort()).toEqual(['camera', 'classes', 'direction', 'kind', 'line', 'name', 'severity']);
    const all: Rule = { ...RULE, camera: null };
    expect(draftOf(drawnOf(all), null, all).camera).toBeNull();
  });

  it('is complete when its shape is', () => {
    expect(isComplete(fresh('intrusion'))).toBe(true);
    expect(isComplete({ ...fresh('intrusion'), corners: [[0, 0], [1, 1]] })).toBe(false);
    expect(isComplete(fresh('wrong_way'))).toBe(false);
    expect(isComplete({ ...fresh('speeding'), points: [[0, 1], [1, 1], [1, 0], [0, 0]] })).toBe(true);
    expect(isComplete(fresh('attribute'))).toBe(false);
    const extra = { file: 'helmet.onnx', name: '', labels: ['worn', 'none'], words: { none: 'không đội mũ' }, classes: [], why: null };
    expect(isComplete({ ...fresh('attribute'), ...firstAsk(extra) })).toBe(true);
    expect(firstAsk(extra).label).toBe('none');
  });

  it('counts hours into their days', () => {
    const [HOUR, DAY] = [3_600_000_000, 86_400_000_000];
    const days = byDay([{ hour_us: DAY + 5 * HOUR, n: 3 }, { hour_us: 23 * HOUR, n: 1 }, { hour_us: 2 * DAY, n: 9 }], [0, DAY]);
    expect(days.map((d) => d.hours.reduce((a, b) => a + b, 0))).toEqual([1, 3]);
    expect([days[0]?.hours[23], days[1]?.hours[5]]).toEqual([1, 3]);
  });
});
