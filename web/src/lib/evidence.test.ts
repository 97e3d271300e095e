/// <reference types="vite/client" />
import { describe, expect, it } from 'vitest';
import { KNOWN, OF_THE_SYSTEM, plainEvidence, plannedReason } from './evidence';

/** All of the program's source, sentences that are broken over two lines put together. */
function source(): string {
  const files = import.meta.glob<string>('../../../src/**/*.rs', { query: '?raw', import: 'default', eager: true });
  return Object.values(files).map((text) => text.replace(/\\\n\s*/g, '')).join('\n');
}

describe('evidence of a gap', () => {
  it('is known by phrases that still stand in the program', () => {
    const text = source();
    for (const { phrase } of KNOWN) {
      if (OF_THE_SYSTEM.includes(phrase)) continue;
      for (const piece of phrase.split('…')) expect(text, phrase).toContain(piece.trim());
    }
  });
  it('becomes a sentence with its numbers', () => {
    expect(plainEvidence('the camera sent no picture for 3 s')).toBe('Camera ngừng gửi hình (chờ 3 giây không thấy).');
    expect(plainEvidence('nothing answers at 192.168.1.20:554 within 5 s')).toContain('192.168.1.20:554.');
    expect(plainEvidence('412 packets: the disk was behind by 10 s')).toBe('Ổ cứng ghi chậm 10 giây, phải bỏ bớt hình.');
    expect(plainEvidence('3 packets: No space left on device (os error 28)')).toBe('Ổ cứng hết chỗ.');
    expect(
      plainEvidence('the last sign of life was at 2026-11-20T03:00:00Z, then the machine was off; it started at 2026-11-20T03:10:00Z'),
    ).toContain('mất điện');
    expect(
      plainEvidence('stopped by a person or the service manager (a signal) at 2026-11-20T03:00:00Z; started again at 2026-11-20T03:01:00Z'),
    ).toBe('Phần mềm được người quản trị tắt.');
    expect(plainEvidence('something nobody has foreseen')).toBeNull();
  });
  it('of a declared outage is what was declared', () => {
    expect(plannedReason('thay ổ cứng (số 2) (network: cannot connect: refused (os error 111))')).toBe('thay ổ cứng (số 2)');
    expect(plannedReason('cắt điện')).toBe('cắt điện');
  });
});
