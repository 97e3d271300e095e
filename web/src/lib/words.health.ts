/** What the pages say of a camera's picture. Vietnamese is the source; the English has its type. */
import type { PictureFault } from './types';

export const healthVi = {
  title: 'Hình ảnh',
  faults: {
    black: 'Hình đen',
    overexposed: 'Hình cháy sáng',
    covered: 'Hình bị che',
    frozen: 'Hình đứng',
    moved: 'Camera bị xoay lệch',
    defocused: 'Hình mờ (mất nét)',
  } as Record<PictureFault, string>,
  todo: {
    black: 'Quá tối, không thấy gì. Kiểm tra đèn hồng ngoại và nguồn của camera.',
    overexposed: 'Quá nửa hình trắng xóa. Kiểm tra nguồn sáng chiếu vào ống kính và cài đặt phơi sáng.',
    covered: 'Có vật che ống kính. Đến xem camera, gỡ vật che và lau kính.',
    frozen: 'Camera vẫn gửi nhưng hình không đổi. Khởi động lại camera.',
    moved: 'Hình không còn khớp với hình mẫu. Chỉnh lại hướng camera; nếu hướng mới là đúng, bấm nút dưới đây.',
    defocused: 'Lau kính và chỉnh nét camera.',
  } as Record<PictureFault, string>,
  bad: (n: number) => `${n} camera hình không dùng được`,
  good: 'Hình dùng được',
  since: (ago: string) => `Từ ${ago}.`,
  unknown: 'Chưa biết: phần phân tích hình chưa xem camera này.',
  before: 'Hình mẫu',
  now: 'Bây giờ',
  beforeAlt: (camera: string) => `Hình mẫu của ${camera}`,
  noReference: 'Chưa có hình mẫu; camera chạy ổn định khoảng một phút thì có.',
  accept: 'Nhận hình này làm mẫu',
  accepted: 'Đã nhận; hình mẫu mới có sau khoảng một phút.',
};

export const healthEn: typeof healthVi = {
  title: 'Picture',
  faults: {
    black: 'Picture black',
    overexposed: 'Over-exposed',
    covered: 'Picture covered',
    frozen: 'Picture frozen',
    moved: 'Camera was turned',
    defocused: 'Out of focus',
  },
  todo: {
    black: 'Too dark to see anything. Check the infra-red light and the power of the camera.',
    overexposed: 'Half of it or more is white. Check what shines into the lens, and the exposure.',
    covered: 'Something hides the scene. Go to the camera, take it away and clean the glass.',
    frozen: 'The camera sends, but nothing changes. Restart it.',
    moved: 'It does not show what it used to. Turn it back; if the new view is right, press the button below.',
    defocused: 'Clean the glass and focus the camera.',
  },
  bad: (n: number) => `${n} with a picture of no use`,
  good: 'The picture can be used',
  since: (ago: string) => `Since ${ago}.`,
  unknown: 'Not known: the analysis has not looked at this camera yet.',
  before: 'Reference',
  now: 'Now',
  beforeAlt: (camera: string) => `How ${camera} usually looks`,
  noReference: 'No reference picture yet; it comes when the camera has run for about a minute.',
  accept: 'Take this view as the reference',
  accepted: 'Taken; the new reference comes in about a minute.',
};
