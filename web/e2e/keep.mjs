// What is missing, what is kept, what was declared, and what cries.
import { ask, base, check, must, person, provoke, until } from './tools.mjs';

/** @typedef {import('playwright-core').Page} Page */
const S = 1_000_000;

/** @param {Page} page @param {any} gap of the first camera, over */
export async function gaps(page, gap) {
  await check('what was not recorded stands in a table with cause, sentence and sum, and leads to the recording', async () => {
    await page.goto(`${base}/storage`);
    await page.getByRole('link', { name: 'Đoạn không ghi hình' }).click();
    await page.waitForURL(`${base}/storage/gaps`);
    await page.getByRole('button', { name: '7 ngày' }).click();
    await page.locator('select[name=camera]').selectOption(String(gap.camera));
    await page.locator('h1', { hasText: /không ghi hình trong 7 ngày/ }).waitFor();
    const row = page.locator('tbody tr', { hasText: 'Camera hỏng' });
    await row.getByText('Camera ngừng gửi hình').waitFor();
    await page.locator('select[name=cause]').selectOption('login');
    await page.locator('h1', { hasText: 'Không thiếu đoạn nào trong 7 ngày' }).waitFor();
    must((await page.locator('tbody tr').count()) === 0, 'a gap of another cause is still shown');
    await page.locator('select[name=cause]').selectOption('camera');
    await row.waitFor();
    const said = await page.locator('h1').innerText();
    await row.getByRole('link', { name: 'Xem lại lúc đó' }).click();
    await page.waitForURL(`${base}/playback/${gap.camera}?at=*`);
    return said;
  });
}

/** @param {Page} page @param {any} gap of the first camera, over */
export async function locks(page, gap) {
  const reason = `Vụ việc ${process.pid}/2026`;
  const mine = async () => (await ask('/locks')).locks.filter((/** @type {any} */ lock) => lock.reason === reason);

  await check('a span is locked from playback, with a reason and until a day', async () => {
    await page.goto(`${base}/playback/${gap.camera}?at=${gap.end_us + S}`);
    await page.getByRole('button', { name: 'Tải hoặc khóa' }).click();
    await page.getByRole('button', { name: 'Khóa đoạn này' }).click();
    const dialog = page.getByRole('dialog');
    provoke(400, '/locks');
    await dialog.getByRole('button', { name: 'Khóa đoạn này' }).click();
    await dialog.getByText(/Lý do trống/).waitFor();
    await dialog.getByLabel('Lý do').fill(reason);
    await dialog.getByLabel('90 ngày').check();
    await dialog.getByRole('button', { name: 'Khóa đoạn này' }).click();
    await dialog.waitFor({ state: 'detached' });
    const [lock] = await mine();
    must(lock?.camera === gap.camera, 'the server has no such lock');
    must(Math.abs(lock.until_us - lock.made_us - 90 * 86400 * S) < 60 * S, `it holds until ${lock.until_us}`);
    must(lock.start_us < lock.end_us, 'it is empty');
  });

  await check('the list of locks shows it; a release can be undone, and else is done', async () => {
    await page.goto(`${base}/storage/locks`);
    const row = page.locator('tbody tr', { hasText: reason });
    await row.waitFor();
    await row.getByRole('button', { name: /Mở khóa/ }).click();
    await row.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Hoàn tác' }).click();
    await row.waitFor();
    must((await mine()).length === 1, 'it was released all the same');
    await row.getByRole('button', { name: /Mở khóa/ }).click();
    // Who leaves has still released it.
    await page.goto(`${base}/storage`);
    await until('the release', async () => (await mine()).length === 0);
  });
}

/** @param {Page} page */
export async function planned(page) {
  const reason = `Cắt điện ${process.pid}`;
  const mine = async () => (await ask('/planned')).planned.filter((/** @type {any} */ one) => one.reason === reason);

  await check('an outage is declared and called off', async () => {
    await page.goto(`${base}/storage/planned`);
    await page.getByRole('button', { name: 'Khai báo bảo trì' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Việc gì?').fill(reason);
    await dialog.getByRole('button', { name: 'Khai báo bảo trì' }).click();
    const row = page.locator('tbody tr', { hasText: reason });
    await row.getByText('Mọi camera').waitFor();
    const [one] = await mine();
    must(one?.camera === null && one.end_us - one.start_us === 3600 * S, `the server has ${JSON.stringify(one)}`);
    await row.getByRole('button', { name: /Hủy/ }).click();
    await row.waitFor({ state: 'detached' });
    await page.goto(`${base}/storage`);
    await until('its end', async () => (await mine()).length === 0);
  });
}

/** The server's alarms are put into its status here: they come from faults of disks. */
export async function alarms() {
  await check('an alarm of the server cries on every page until somebody has seen it', async () => {
    const { page, leave } = await person();
    /** @type {any[]} */
    let standing = [
      { id: 7, kind: 'of_another_version', camera: null, since_us: Date.now() * 1000, times: 2, until_seen: true, text_vi: 'Ổ cứng số 2 sắp hỏng.', text_en: 'Disk 2 is failing.' },
      { id: 8, kind: 'disk_full', camera: null, since_us: Date.now() * 1000, times: 1, until_seen: false, text_vi: 'Ổ cứng đầy.', text_en: 'The disk is full.' },
    ];
    /** @type {unknown[]} */
    const heard = [];
    await page.route('**/api/v1/status', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), alarms: standing } });
    });
    await page.route('**/api/v1/alarms/7/seen', async (route) => {
      heard.push(route.request().postDataJSON());
      standing = standing.filter((alarm) => alarm.id !== 7);
      await route.fulfill({ status: 204 });
    });
    await page.goto(`${base}/cameras`);
    const banner = page.getByRole('region', { name: 'Báo động' });
    await banner.getByText('Ổ cứng số 2 sắp hỏng.').waitFor();
    await banner.getByText('Ổ cứng đầy.').waitFor();
    must((await banner.getByRole('button', { name: 'Đã xem' }).count()) === 1, 'what goes with its cause can be waved away');
    await banner.getByRole('button', { name: 'Bật tiếng báo' }).click();
    await banner.getByRole('button', { name: 'Tắt tiếng' }).waitFor();
    await banner.getByRole('button', { name: 'Đã xem' }).click();
    await banner.getByText('Ổ cứng số 2 sắp hỏng.').waitFor({ state: 'detached' });
    await until('the server hears', async () => heard.length > 0);
    must(JSON.stringify(heard) === '[{"times":2}]', `the server heard ${JSON.stringify(heard)}`);
    standing = [];
    await page.reload();
    await page.locator('h1').waitFor();
    await banner.waitFor({ state: 'detached' });
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await leave();
  });
}
