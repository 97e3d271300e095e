// Alerts and cameras: lists, filters, the form, one alert.
import { ask, base, check, given, must, provoke, until } from './tools.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @param {Page} page */
export async function cameras(page) {
  const name = `Chợ – cổng Tây ${process.pid}`;
  /** @type {number} */
  let camera = 0;

  await check('the start page is the list of alerts, in Vietnamese', async () => {
    await page.goto(base);
    await page.locator('h1', { hasText: /cảnh báo/i }).waitFor();
    must((await page.locator('html').getAttribute('lang')) === 'vi', 'the page does not say that it is Vietnamese');
    await page.getByText('Chạy không cần internet').waitFor();
  });

  await check("a wrong address gets the server's sentence at its field, and nothing typed is lost", async () => {
    const before = (await ask('/cameras')).cameras.length;
    await page.getByRole('link', { name: 'Camera', exact: true }).click();
    await page.getByRole('link', { name: 'Thêm camera' }).first().click();
    await page.getByLabel('Tên camera').fill(name);
    const field = page.getByLabel('Địa chỉ luồng chính');
    await field.fill('http://192.168.1.20/stream1');
    provoke(400, '/cameras');
    await page.getByRole('button', { name: 'Lưu' }).click();
    await page.locator('[name=main_url][aria-invalid=true]').waitFor();
    const described = (await field.getAttribute('aria-describedby')) ?? '';
    const said = await page.locator(described.split(' ').map((id) => `[id="${id}"]`).join(', ')).allInnerTexts();
    must(said.some((text) => text.includes('phải bắt đầu bằng rtsp://')), `the field says only: ${said.join(' | ')}`);
    must((await page.getByLabel('Tên camera').inputValue()) === name, 'the name that was typed is gone');
    must((await ask('/cameras')).cameras.length === before, 'a camera with a wrong address was added');
  });

  await check('a camera added by the form reaches "Hoạt động"', async () => {
    await page.getByLabel('Địa chỉ luồng chính').fill(given('SIM_MAIN_URL'));
    await page.getByLabel('Địa chỉ luồng phụ').fill(given('SIM_SUB_URL'));
    await page.getByRole('button', { name: 'Lưu' }).click();
    await page.locator('h1', { hasText: name }).waitFor();
    await page.locator('.page-head').getByText('Hoạt động').waitFor();
    camera = (await ask('/cameras')).cameras.find((/** @type {any} */ c) => c.name === name)?.id;
    must(camera, 'the server does not know the camera');
  });

  await check('its last picture appears with its age', async () => {
    const picture = page.getByRole('img', { name: `Hình gần nhất của ${name}` });
    await picture.waitFor();
    await until('the picture', () => picture.evaluate((img) => img instanceof HTMLImageElement && img.naturalWidth > 0));
    await page.locator('.pic').getByText(/vừa xong|trước/).waitFor();
  });

  await check('removing it can be undone', async () => {
    await page.getByRole('button', { name: 'Gỡ', exact: true }).click();
    await page.getByRole('button', { name: 'Hoàn tác' }).click();
    await page.getByRole('link', { name, exact: true }).waitFor();
    must((await ask('/cameras')).cameras.some((/** @type {any} */ c) => c.id === camera && !c.retired_us), 'the camera is gone');
  });
  return camera;
}

/** @param {Page} page */
export async function alerts(page) {
  /** @type {any} */
  let alert;
  /** The ids of the alerts on the page, from top to bottom. */
  const idsShown = () =>
    page.locator('[data-card]').evaluateAll((cards) => cards.map((card) => Number(card.id.replace('alert-', ''))));

  await check('the filter by kind shows alerts of that kind and no others', async () => {
    await page.getByRole('link', { name: 'Cảnh báo', exact: true }).click();
    const counts = [];
    for (const kind of ['motion', 'intrusion']) {
      const answered = page.waitForResponse((r) => r.url().includes('/api/v1/events?') && r.url().includes(`kind=${kind}`));
      await page.locator('select[name=kind]').selectOption(kind);
      const listed = (await (await answered).json()).events.map((/** @type {any} */ e) => e.id);
      await page.waitForFunction((n) => document.querySelectorAll('[data-card]').length === n, listed.length);
      const ids = await idsShown();
      must(JSON.stringify(ids) === JSON.stringify(listed), `${kind}: the page shows ${ids}, the server listed ${listed}`);
      for (const id of ids) {
        const event = await ask(`/events/${id}`);
        must(event.kind === kind, `alert ${id} is of kind ${event.kind}, not ${kind}`);
      }
      if (ids.length === 0) await page.getByText('Đã tìm:').waitFor();
      counts.push(`${kind} ${ids.length}`);
    }
    const total = (await ask('/events')).events.length;
    must(total > 0, 'the server has no alert at all, so the filter proves nothing');
    return counts.join(', ');
  });

  await check('an alert opens from its card', async () => {
    alert = await until('an alert that is over', async () =>
      (await ask('/events?limit=30')).events.find((/** @type {any} */ e) => !e.open && e.has_snapshot),
    );
    await page.locator('select[name=kind]').selectOption('motion');
    if (alert.kind !== 'motion') await page.locator('select[name=kind]').selectOption(alert.kind);
    const card = page.locator(`#alert-${alert.id}`);
    // One that ended a moment ago may wait behind "n cảnh báo mới".
    const fresh = page.getByRole('button', { name: /cảnh báo mới/ });
    await card.or(fresh).first().waitFor();
    if (!(await card.isVisible())) await fresh.click();
    await card.click();
    await page.waitForURL(`${base}/alerts/${alert.id}`);
    await page.locator('main').getByText(alert.camera_name).first().waitFor();
  });

  await check('its clip begins at the alert and plays', async () => {
    const video = page.locator('video');
    await video.waitFor();
    await until('the clip', () => video.evaluate((v) => v instanceof HTMLVideoElement && v.readyState >= 2));
    const began = await video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).currentTime);
    await video.evaluate(async (v) => {
      const player = /** @type {HTMLVideoElement} */ (v);
      player.muted = true;
      await player.play();
    });
    await until('playing', () =>
      video.evaluate((v, from) => {
        const player = /** @type {HTMLVideoElement} */ (v);
        if (player.error) throw new Error(`the player says: ${player.error.message}`);
        return player.currentTime > from + 0.3 || (player.ended && player.currentTime > from);
      }, began),
    );
    const now = await video.evaluate((v) => {
      const player = /** @type {HTMLVideoElement} */ (v);
      player.pause();
      return { time: player.currentTime, duration: player.duration, width: player.videoWidth, error: player.error?.message };
    });
    must(!now.error, `the player says: ${now.error}`);
    must(Number.isFinite(now.duration) && now.duration > 0, `the clip's duration is ${now.duration}`);
    must(now.width > 0, 'the clip has sound only or no picture');
    return `${now.duration.toFixed(1)} s, from ${began.toFixed(1)} to ${now.time.toFixed(1)}`;
  });

  await check('its picture is there with and without the box', async () => {
    await page.getByRole('button', { name: 'Ảnh', exact: true }).click();
    const img = page.locator('.still img');
    const loaded = () => img.evaluate((i) => i instanceof HTMLImageElement && i.complete && i.naturalWidth > 0 && i.src);
    const boxed = await until('the picture', loaded);
    await page.getByRole('button', { name: 'Khung', exact: true }).click();
    await until('the picture without its box', async () => {
      const plain = await loaded();
      return plain && plain !== boxed;
    });
  });

  await check('Esc leads back to the list under the same filter, to the same card', async () => {
    await page.locator('h1').click();
    await page.keyboard.press('Escape');
    await page.waitForFunction((id) => document.activeElement?.id === id, `alert-${alert.id}`);
    must(page.url().includes(`kind=${alert.kind}`), `the filter is gone from ${page.url()}`);
    must((await page.locator('select[name=kind]').inputValue()) === alert.kind, 'the filter is no longer chosen');
  });

  await check('the keyboard alone opens an alert', async () => {
    await page.keyboard.press('j');
    const at = await page.evaluate(() => document.activeElement?.id ?? '');
    must(at.startsWith('alert-'), 'j does not lead to a card');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${base}/alerts/${at.replace('alert-', '')}`);
  });
  return alert;
}
