import { describe, expect, it } from 'vitest';
import { DAY_US, HOUR_US, SECOND_US, clock, clockTime, date, dateTime, dayStart, fromDate, quickRange, rangeText, spanText, weekday } from './time';

// 20/11/2026 20:41:07 in Ho Chi Minh City.
const NOW = Date.UTC(2026, 10, 20, 13, 41, 7) * 1000;

describe('local time', () => {
  it('is that of Ho Chi Minh City on every machine', () => {
    expect(dateTime(NOW)).toBe('20/11/2026 20:41:07');
    expect(weekday(NOW)).toBe(5);
  });

  it('a day begins at local midnight', () => {
    const lateUtc = Date.UTC(2026, 10, 20, 17, 0, 0) * 1000;
    expect(date(lateUtc)).toBe('21/11/2026');
    expect(dayStart(lateUtc)).toBe(lateUtc);
    expect(dayStart(lateUtc - 1)).toBe(lateUtc - DAY_US);
    expect(fromDate(2026, 11, 21)).toBe(lateUtc);
    expect(fromDate(2026, 11, 31)).toBe(fromDate(2026, 12, 1));
  });

  it('is understood as it is typed', () => {
    expect(clockTime('20:41:07', NOW)).toBe(NOW);
    expect(clockTime(' 8h05 ', NOW)).toBe(dayStart(NOW) + (8 * 3600 + 5 * 60) * SECOND_US);
    expect(clockTime('24:00', NOW)).toBe(dayStart(NOW) + DAY_US);
    for (const wrong of ['', '20', '25:00', '24:01', '12:60', '12:00:61', 'tối', '1:2:3:4']) expect(clockTime(wrong, NOW)).toBeNull();
  });

  it('a span names its day once, or both of its days', () => {
    expect(spanText({ start_us: NOW, end_us: NOW + 53 * SECOND_US })).toBe('20/11/2026 20:41:07–20:42:00');
    expect(spanText({ start_us: NOW, end_us: NOW + 5 * HOUR_US })).toBe('20/11/2026 20:41:07 – 21/11/2026 01:41:07');
  });

  it('the last microsecond of a second still belongs to it', () => {
    expect(clock(NOW + 999_999)).toBe('20:41:07');
  });
});

describe('quick choices', () => {
  it('“tối qua” is yesterday from 18:00 to midnight, also just after midnight', () => {
    const evening = quickRange('evening', NOW);
    expect(rangeText(evening, 'từ')).toBe('19/11 18:00–24:00');
    const afterMidnight = quickRange('evening', dayStart(NOW) + HOUR_US);
    expect(afterMidnight).toEqual(evening);
  });

  it('say what they mean', () => {
    expect(rangeText(quickRange('today', NOW), 'từ')).toBe('từ 20/11 00:00');
    expect(rangeText(quickRange('day', NOW), 'từ')).toBe('từ 19/11 20:41');
    expect(rangeText(quickRange('all', NOW), 'từ')).toBe('');
    expect(rangeText({ from_us: dayStart(NOW) - 6 * HOUR_US, to_us: dayStart(NOW) + 6 * HOUR_US }, 'từ')).toBe(
      '19/11 18:00 – 20/11 06:00',
    );
  });
});
