/**
 * What the ledger wrote down about a gap, in plain Vietnamese. The server keeps one English line for those who repair;
 * `phrase` is a piece of it as it stands in the program's source (a test looks it up there), `…` stands for anything.
 */
interface Known {
  phrase: string;
  vi: (...found: string[]) => string;
}

export const KNOWN: Known[] = [
  { phrase: 'the program had not been started yet', vi: () => 'Phần mềm chưa được khởi động.' },
  { phrase: 'pictures were said to come, yet none of them was recorded', vi: () => 'Camera vẫn báo gửi hình, nhưng không ghi được hình nào.' },
  { phrase: 'just found; its cause is being looked for', vi: () => 'Vừa phát hiện, đang tìm nguyên nhân.' },
  { phrase: 'the stream was being set up', vi: () => 'Đang nối với camera.' },
  { phrase: 'the stream was stopped by the program', vi: () => 'Phần mềm ngừng lấy hình của camera này.' },
  { phrase: 'an error inside the program, over what the camera said, ended this session', vi: () => 'Phần mềm gặp lỗi khi nhận hình, đã tự chạy lại.' },
  { phrase: 'the whole program stood still for … s', vi: (s) => `Cả phần mềm bị treo ${s} giây.` },
  { phrase: 'the clock was behind and was set right by … s', vi: (s) => `Đồng hồ máy chạy chậm, được chỉnh tới ${s} giây; khoảng này không có thật.` },
  { phrase: 'the clock was ahead by … s until it was set right', vi: (s) => `Đồng hồ máy chạy nhanh ${s} giây cho đến khi được chỉnh; hình lúc đó nằm ở ngày giờ sau.` },
  { phrase: 'then the machine was off', vi: () => 'Máy tắt đột ngột, có thể do mất điện.' },
  { phrase: 'the program had ended by force', vi: () => 'Phần mềm bị tắt đột ngột, máy vẫn chạy.' },
  { phrase: 'the machine was started at', vi: () => 'Phần mềm được tắt, rồi máy khởi động lại.' },
  { phrase: 'stopped by a person or the service manager (a signal)', vi: () => 'Phần mềm được người quản trị tắt.' },
  { phrase: 'the camera sent no picture for … s', vi: (s) => `Camera ngừng gửi hình (chờ ${s} giây không thấy).` },
  { phrase: 'the camera sent no picture within … s of PLAY', vi: (s) => `Camera nhận lời nhưng ${s} giây không gửi hình nào.` },
  { phrase: 'no key frame for … s', vi: (s) => `Camera ${s} giây không gửi hình khóa. Đặt «I-frame interval» của camera còn 2 giây trở xuống.` },
  { phrase: 'nothing answers at …', vi: (where) => `Không có máy nào trả lời ở ${where.split(' ')[0]}. Kiểm tra nguồn điện, dây mạng của camera.` },
  { phrase: 'cannot connect: …', vi: () => 'Không nối được tới camera. Kiểm tra nguồn điện, dây mạng của camera.' },
  { phrase: 'the connection broke during …', vi: () => 'Đường truyền tới camera bị đứt.' },
  { phrase: 'the camera closed the connection', vi: () => 'Camera tự ngắt kết nối.' },
  { phrase: 'the camera did not answer …', vi: () => 'Camera không trả lời.' },
  { phrase: 'the camera refused the user name or password', vi: () => 'Camera từ chối tên đăng nhập hoặc mật khẩu.' },
  { phrase: 'the camera asks for a user name and password', vi: () => 'Camera đòi tên đăng nhập và mật khẩu.' },
  { phrase: 'the camera refused this user (403)', vi: () => 'Camera từ chối tài khoản này, có thể đang khóa.' },
  { phrase: 'the camera has no stream at that path (404)', vi: () => 'Camera không có luồng ở địa chỉ này. Kiểm tra địa chỉ luồng.' },
  { phrase: 'the camera offers no H.264 or H.265 video', vi: () => 'Camera không gửi H.264 hay H.265. Đặt lại kiểu nén của camera.' },
  { phrase: 'the disk was behind by … s', vi: (s) => `Ổ cứng ghi chậm ${s} giây, phải bỏ bớt hình.` },
  { phrase: 'No space left on device', vi: () => 'Ổ cứng hết chỗ.' },
  { phrase: 'Read-only file system', vi: () => 'Ổ cứng chỉ đọc được, không ghi được.' },
  { phrase: 'Input/output error', vi: () => 'Ổ cứng báo lỗi đọc ghi, có thể sắp hỏng.' },
];

/** Sentences of the operating system: they do not stand in our source. */
export const OF_THE_SYSTEM = ['No space left on device', 'Read-only file system', 'Input/output error'];

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const PATTERNS = KNOWN.map(({ phrase, vi }) => {
  const source = escaped(phrase).replaceAll('…', phrase.endsWith('…') ? '(.+)' : '([\\d.,]+)');
  return { pattern: new RegExp(source), vi };
});

/** A sentence for the officer, or `null` where only the technical line is known. */
export function plainEvidence(text: string): string | null {
  for (const { pattern, vi } of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return vi(...found.slice(1));
  }
  return null;
}

/** What somebody had declared: `reason (cause: what was seen)`. */
export function plannedReason(text: string): string {
  return text.replace(/ \((power|network|camera|login|disk|overload|service|unknown): .*\)$/s, '');
}
