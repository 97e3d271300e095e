import { describe, expect, it } from 'vitest';
import { age, cameraState, decimal, duration, eventNumbers, eventTitle, scoreWord } from './format';
import { DAY_US, HOUR_US, MINUTE_US, SECOND_US } from './time';
import type { Camera, StreamStatus } from './types';
import { vi } from './words';
import { en } from './words.en';

describe('numbers and durations', () => {
  it('a decimal has a comma in Vietnamese and no needless zeros', () => {
    expect(decimal(4.25, 1, 'vi')).toBe('4,3');
    expect(decimal(4, 1, 'vi')).toBe('4');
    expect(decimal(0.5, 2, 'en')).toBe('0.5');
  });

  it('a duration is said in words of at most two units', () => {
    const said = (us: number): string => duration(us, vi, 'vi');
    expect(said(400_000)).toBe('0,4 giây');
    expect(said(42 * SECOND_US)).toBe('42 giây');
    expect(said(59.7 * SECOND_US)).toBe('1 phút');
    expect(said(MINUTE_US + 5 * SECOND_US)).toBe('1 phút 05 giây');
    expect(said(12 * MINUTE_US + 3 * SECOND_US)).toBe('12 phút');
    expect(said(HOUR_US)).toBe('1 giờ');
    expect(said(HOUR_US + 5 * MINUTE_US)).toBe('1 giờ 05 phút');
    expect(said(59.9 * MINUTE_US)).toBe('1 giờ');
    expect(said(23.999 * HOUR_US)).toBe('1 ngày');
    expect(said(2 * DAY_US + 3 * HOUR_US)).toBe('2 ngày 03 giờ');
    expect(said(-5)).toBe('0 giây');
    expect(duration(4.2 * SECOND_US, en, 'en')).toBe('4.2 s');
  });

  it('the age of a picture is one unit', () => {
    expect(age(0, vi)).toBe('vừa xong');
    expect(age(12.9 * SECOND_US, vi)).toBe('12 giây trước');
    expect(age(3 * MINUTE_US + 59 * SECOND_US, vi)).toBe('3 phút trước');
    expect(age(25 * HOUR_US, vi)).toBe('1 ngày trước');
  });
});

describe('words for events and cameras', () => {
  it('an alert is named by what was seen', () => {
    expect(eventTitle('motion', null, vi)).toBe('Có chuyển động');
    expect(eventTitle('intrusion', 'person', vi)).toBe('Người vào vùng theo dõi');
    expect(eventTitle('intrusion', null, vi)).toBe('Có vật vào vùng theo dõi');
  });

  it('a score is a word, and motion is never said to be seen clearly', () => {
    expect(scoreWord('intrusion', 0.91, vi)).toBe('thấy rất rõ');
    expect(scoreWord('intrusion', 0.2, vi)).toBe('thấy chưa rõ, cần xem kỹ');
    expect(scoreWord('motion', 0.91, vi)).toBe('chuyển động nhiều');
  });

  it('the numbers of an alert are said in words, and an unknown one keeps its name', () => {
    const numbers = { k: 3, n: 5, motion_area_max: 0.0625, motion_frames: 12, seconds: 4, new_number: 1.5 };
    expect(eventNumbers({ kind: 'motion', score: 0.1, numbers }, vi, 'vi')).toEqual([
      ['Phần hình chuyển động, lúc nhiều nhất', '6,3 %'],
      ['Số hình có chuyển động', '12'],
      ['new number', '1,5'],
      ['Luật cần', '3 trong 5 hình'],
    ]);
    expect(eventNumbers({ kind: 'intrusion', score: 0.912, numbers: {} }, vi, 'vi')).toEqual([['Điểm của máy (0–1)', '0,91']]);
  });

  it('a camera is as bad as its worse stream', () => {
    const camera = (...statuses: (StreamStatus | null)[]): Camera => ({
      id: 1,
      code: 'C01',
      name: 'x',
      cluster: '',
      hamlet: '',
      enabled_us: 0,
      retired_us: null,
      record_main: true,
      username: '',
      has_password: false,
      picture: null,
      health: null,
      streams: statuses.map((status, id) => ({ id, kind: id === 0 ? 'main' : 'sub', url: 'rtsp://x/', status, clock_offset_us: null })),
    });
    const lost = { state: 'retrying', n: 3, why: { cause: 'network', detail: 'refused' } } as const;
    const login = { state: 'retrying', n: 3, why: { cause: 'login', detail: '401' } } as const;
    expect(cameraState(camera({ state: 'streaming' }, { state: 'streaming' }))).toBe('up');
    expect(cameraState(camera({ state: 'streaming' }, lost))).toBe('lost');
    expect(cameraState(camera(login, lost))).toBe('login');
    expect(cameraState(camera({ state: 'connecting' }, { state: 'streaming' }))).toBe('connecting');
    expect(cameraState({ ...camera(null, { state: 'streaming' }), record_main: false })).toBe('up');
    expect(cameraState(camera(null))).toBe('unknown');
    expect(cameraState(camera())).toBe('unknown');
  });
});
