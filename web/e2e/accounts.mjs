// The first account by the link of the console, a second one with a role, and what each gets, in headless Chromium:
//
//   BASE_URL=http://127.0.0.1:8080 SETUP_URL=http://127.0.0.1:8080/setup#… node e2e/accounts.mjs
//
// The server has one camera and no account yet. E2E_PICTURES names a folder for a picture of each page.
import { base, check, complaints, end, given, must, person, provoke, until } from './tools.mjs';

const setup = given('SETUP_URL');
const folder = process.env.E2E_PICTURES;
const PASSWORD = 'bờ ao nón lá thứ tư';
const OTHER = 'cây đa giếng nước';
const { page } = await person();

/** @param {import('playwright-core').Page} shown @param {string} name */
async function picture(shown, name) {
  if (folder) await shown.screenshot({ path: `${folder}/${name}.png` });
}

/** @param {import('playwright-core').Page} at @param {string} login @param {string} password */
async function signIn(at, login, password) {
  await at.getByLabel('Tên đăng nhập').fill(login);
  await at.getByLabel('Mật khẩu', { exact: true }).fill(password);
  await at.getByRole('button', { name: 'Đăng nhập' }).click();
}

await check('the link of the console makes the first account, and says what is wrong with a weak password', async () => {
  await page.goto(setup);
  await page.getByRole('heading', { name: 'Tạo tài khoản quản trị' }).waitFor();
  await page.getByLabel('Họ tên').fill('Lê An');
  await page.getByLabel('Tên đăng nhập').fill('an');
  await page.getByLabel('Mật khẩu', { exact: true }).fill('1234567890');
  await page.getByLabel('Gõ lại mật khẩu').fill('1234567890');
  provoke(400, '/setup');
  await page.getByRole('button', { name: 'Tạo và đăng nhập' }).click();
  await page.getByText('dãy liền nhau').waitFor();
  await picture(page, 'setup');
  await page.getByLabel('Mật khẩu', { exact: true }).fill(PASSWORD);
  await page.getByLabel('Gõ lại mật khẩu').fill(PASSWORD);
  await page.getByRole('button', { name: 'Tạo và đăng nhập' }).click();
  // An administrator may not look through alerts: the first page is the live one.
  await page.waitForURL(`${base}/live`);
  const places = await page.locator('nav.rail a.place').allInnerTexts();
  must(places.join().includes('Trực tiếp') && !places.join().includes('Xem lại'), `the rail has ${places.join()}`);
});

await check('a live picture runs for somebody signed in', async () => {
  const video = page.locator('video').first();
  await video.waitFor();
  await until('a picture', () => video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).readyState >= 2));
});

await check('an administrator adds a person and gives a role', async () => {
  await page.getByRole('button', { name: 'Cài đặt' }).click();
  await picture(page, 'settings');
  await page.getByRole('link', { name: 'Tài khoản', exact: true }).click();
  await page.getByRole('heading', { name: '1 tài khoản' }).waitFor();
  await page.getByRole('button', { name: 'Thêm tài khoản' }).click();
  await page.getByLabel('Họ tên').fill('Nguyễn Văn Bình');
  await page.getByLabel('Tên đăng nhập').fill('binh.nv');
  await page.getByLabel('Mật khẩu', { exact: true }).fill(OTHER);
  await page.getByRole('checkbox', { name: 'Công an xã' }).check();
  await picture(page, 'account-form');
  await page.getByRole('button', { name: 'Lưu' }).click();
  await page.getByRole('heading', { name: '2 tài khoản' }).waitFor();
  await page.getByRole('row', { name: /Nguyễn Văn Bình/ }).getByText('Công an xã').waitFor();
  await picture(page, 'accounts');
});

await check('the other person signs in, after a wrong password, and gets what the role gives', async () => {
  const { page: other, leave } = await person();
  provoke(401, '/session');
  await other.goto(`${base}/playback`);
  await other.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  await picture(other, 'sign-in');
  provoke(403, '/session');
  await signIn(other, 'binh.nv', 'sai mật khẩu');
  await other.getByText('không đúng').waitFor();
  await signIn(other, 'Binh.NV', OTHER);
  await other.locator('nav.rail').waitFor();
  must(new URL(other.url()).pathname === '/playback', `the page is ${other.url()}, not the one asked for`);
  // Why first, by one tap.
  await other.getByRole('heading', { name: 'Xem để làm gì?' }).waitFor();
  await picture(other, 'purpose');
  await other.getByRole('button', { name: 'Tin báo của người dân' }).click();
  await other.locator('header').getByText('Tin báo của người dân').waitFor();
  await other.locator('video').first().waitFor();
  await picture(other, 'playback');
  await other.goto(`${base}/accounts`);
  await other.getByRole('heading', { name: 'không có quyền' }).waitFor();
  await picture(other, 'no-right');
  const cookie = (await other.context().cookies()).find((one) => one.name === 'vonglau_session');
  must(cookie?.httpOnly && cookie.sameSite === 'Strict', 'the cookie can be read by pages or is sent from other sites');
  must(!(await other.evaluate(() => document.cookie)).includes('vonglau'), 'a script reads the cookie');
  await leave();
});

await check('an account that is disabled is out at once, and its page asks to sign in', async () => {
  const { page: other, leave } = await person();
  provoke(401, '/session');
  await other.goto(`${base}/search`);
  await signIn(other, 'binh.nv', OTHER);
  await other.locator('nav.rail').waitFor();
  await page.getByRole('button', { name: 'Sửa tài khoản Nguyễn Văn Bình' }).click();
  await page.getByRole('checkbox', { name: 'Khóa tài khoản' }).check();
  await page.getByRole('button', { name: 'Lưu' }).click();
  await page.getByText('Đã khóa').waitFor();
  const before = complaints.length;
  await other.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  await leave();
  // Its own requests were refused, as they must be.
  complaints.splice(before);
});

await check('on a phone the pages fit, in English too', async () => {
  const { page: phone, leave } = await person({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  provoke(401, '/session');
  await phone.goto(base);
  await phone.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
  await picture(phone, 'phone-sign-in');
  await signIn(phone, 'an', PASSWORD);
  await phone.waitForURL(`${base}/live`);
  for (const path of ['/accounts', '/account']) {
    await phone.goto(base + path);
    await phone.locator('h1').waitFor();
    await phone.locator('[role=status][aria-label="Đang tải…"]').waitFor({ state: 'detached' });
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    must(wide <= 0, `${path} is ${wide} px too wide`);
    await picture(phone, `phone${path.replace('/', '-')}`);
  }
  await phone.goto(`${base}/accounts`);
  await phone.getByRole('button', { name: 'Thêm tài khoản' }).click();
  await picture(phone, 'phone-form');
  await leave();
});

await check('the auditor reads who looked at what and why', async () => {
  await page.goto(`${base}/accounts`);
  await page.getByRole('button', { name: 'Thêm tài khoản' }).click();
  await page.getByLabel('Họ tên').fill('Trần Thị Kiểm');
  await page.getByLabel('Tên đăng nhập').fill('kiem');
  await page.getByLabel('Mật khẩu', { exact: true }).fill(OTHER);
  await page.getByRole('checkbox', { name: 'Người kiểm tra nhật ký' }).check();
  await page.getByRole('button', { name: 'Lưu' }).click();
  await page.getByRole('heading', { name: '3 tài khoản' }).waitFor();
  const { page: auditor, leave } = await person();
  provoke(401, '/session');
  await auditor.goto(base);
  await signIn(auditor, 'kiem', OTHER);
  await auditor.waitForURL(`${base}/audit`);
  const looked = auditor.getByRole('row', { name: /binh.nv/ }).filter({ hasText: 'Tin báo của người dân' });
  await looked.first().getByText('xem lại').first().waitFor();
  await picture(auditor, 'audit');
  await leave();
});

await check('one signs out', async () => {
  await page.goto(`${base}/account`);
  provoke(401, '/session');
  await page.getByRole('button', { name: 'Đăng xuất' }).click();
  await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
});

await check('the pages complained about nothing', async () => {
  must(complaints.length === 0, complaints.join('; '));
});
await end();
