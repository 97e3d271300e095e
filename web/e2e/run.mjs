// What a person does in the pages, in headless Chromium against a running server:
//
//   BASE_URL=http://127.0.0.1:8080 SIM_MAIN_URL=rtsp://… SIM_SUB_URL=rtsp://… node e2e/run.mjs
//
// The server must have recorded at least one alert that is over. CHROMIUM names another browser than Debian's,
// E2E_PICTURE a file for a picture of the page where a check failed. One line a check; the first failure ends the run.
import { chromium } from 'playwright-core';

/** A bound for hanging, not a speed to reach. */
const PATIENCE_MS = 60_000;

/** @param {string} name */
function given(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set; see the head of e2e/run.mjs`);
    process.exit(2);
  }
  return value;
}

const base = given('BASE_URL').replace(/\/$/, '');
const simMain = given('SIM_MAIN_URL');
const simSub = given('SIM_SUB_URL');

/** Everything the pages complained about or reached for; looked at in the last checks. */
/** @type {string[]} */
const complaints = [];
/** @type {string[]} */
const foreign = [];
/** Answers that a check provokes on purpose; Chromium writes one console line for each. */
let refusalsExpected = 0;

/** @param {unknown} truth @param {string} sentence @returns {asserts truth} */
function must(truth, sentence) {
  if (!truth) throw new Error(sentence);
}

/** @param {string} path */
async function ask(path) {
  const answer = await fetch(`${base}/api/v1${path}`);
  must(answer.ok, `GET /api/v1${path} answered ${answer.status}`);
  return answer.json();
}

/** Waits until `probe` gives something true, and gives it back.
 * @template T @param {string} what @param {() => Promise<T>} probe @returns {Promise<NonNullable<T>>} */
async function until(what, probe) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const got = await probe();
    if (got) return got;
    must(Date.now() < end, `${what} did not happen within ${PATIENCE_MS / 1000} s`);
    await new Promise((again) => setTimeout(again, 200));
  }
}

/** @param {import('playwright-core').Page} page */
function watch(page) {
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('pageerror', (error) => complaints.push(`error in the page: ${error.message}`));
  page.on('console', (line) => {
    if (line.type() !== 'error') return;
    if (refusalsExpected > 0 && line.text().includes('400') && line.location().url === `${base}/api/v1/cameras`) {
      refusalsExpected -= 1;
    } else {
      complaints.push(`console: ${line.text()} (${line.location().url})`);
    }
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    const inside = url.origin === new URL(base).origin || url.protocol === 'data:' || url.protocol === 'blob:';
    if (!inside) foreign.push(request.url());
  });
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
// Another time zone and language than the commune's: the pages must show local time and Vietnamese all the same.
const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'en-US', timezoneId: 'America/New_York' });
const page = await context.newPage();
watch(page);
let shown = page;

/** @param {string} name @param {() => Promise<string | void>} proof */
async function check(name, proof) {
  try {
    const note = await proof();
    console.log(`ok      ${name}${note ? ` (${note})` : ''}`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.log(`FAILED  ${name}: ${text.split('\n').slice(0, 6).join(' ')}`);
    for (const complaint of complaints) console.log(`        ${complaint}`);
    if (process.env.E2E_PICTURE) await shown.screenshot({ path: process.env.E2E_PICTURE }).catch(() => undefined);
    await browser.close();
    process.exit(1);
  }
}

const name = `Chợ – cổng Tây ${process.pid}`;
/** @type {number} */
let camera = 0;
/** @type {any} */
let alert;

/** The ids of the alerts on the page, from top to bottom. */
const idsShown = () =>
  page.locator('[data-card]').evaluateAll((cards) => cards.map((card) => Number(card.id.replace('alert-', ''))));

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
  refusalsExpected += 1;
  await page.getByRole('button', { name: 'Lưu' }).click();
  await page.locator('[name=main_url][aria-invalid=true]').waitFor();
  const described = (await field.getAttribute('aria-describedby')) ?? '';
  const said = await page.locator(described.split(' ').map((id) => `[id="${id}"]`).join(', ')).allInnerTexts();
  must(said.some((text) => text.includes('phải bắt đầu bằng rtsp://')), `the field says only: ${said.join(' | ')}`);
  must((await page.getByLabel('Tên camera').inputValue()) === name, 'the name that was typed is gone');
  must((await ask('/cameras')).cameras.length === before, 'a camera with a wrong address was added');
});

await check('a camera added by the form reaches "Hoạt động"', async () => {
  await page.getByLabel('Địa chỉ luồng chính').fill(simMain);
  await page.getByLabel('Địa chỉ luồng phụ').fill(simSub);
  await page.getByRole('button', { name: 'Lưu' }).click();
  await page.locator('h1', { hasText: name }).waitFor();
  await page.locator('.head').getByText('Hoạt động').waitFor();
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

await check('an alert leads to the recording around it, which plays at its moment and seeks', async () => {
  await page.goto(`${base}/alerts/${alert.id}`);
  await page.getByRole('link', { name: 'Xem lại quanh lúc này' }).click();
  await page.waitForURL(`${base}/playback/${alert.camera}?at=*`);
  const video = page.locator('.stage video');
  const time = () => video.evaluate((v) => {
    const player = /** @type {HTMLVideoElement} */ (v);
    if (player.error) throw new Error(`the player says: ${player.error.message}`);
    return player.currentTime;
  });
  await video.waitFor();
  await until('playing', () => video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).readyState >= 3));
  const began = await time();
  await until('moving', async () => (await time()) > began + 0.3);
  const bar = page.getByRole('slider');
  const hand = async () => Number(await bar.getAttribute('aria-valuenow'));
  const wanted = Math.round(alert.start_us / 1e6);
  must(Math.abs((await hand()) - wanted) < 30, `the hand stands at ${await hand()}, the alert began at ${wanted}`);
  await page.getByRole('button', { name: 'Dừng', exact: true }).click();
  const before = await hand();
  await bar.focus();
  await page.keyboard.press('ArrowLeft');
  await until('the hand moved', async () => (await hand()) <= before - 5 || (await page.getByText('Đã chuyển đến').count()) > 0);
  await page.getByRole('button', { name: '1 giờ' }).click();
  await until('recorded spans on the bar', async () => (await bar.locator('.rec').count()) > 0);
  return `from ${began.toFixed(1)} s of the film`;
});

await check('live pictures move, in four tiles and in one', async () => {
  await page.getByRole('link', { name: 'Trực tiếp', exact: true }).click();
  const moving = async () => {
    const tile = page.locator('.tile video').first();
    await tile.waitFor();
    const time = () => tile.evaluate((v) => {
      const player = /** @type {HTMLVideoElement} */ (v);
      if (player.error) throw new Error(`the player says: ${player.error.message}`);
      return player.videoWidth > 0 ? player.currentTime : 0;
    });
    const began = await until('the picture', time);
    await until('moving', async () => (await time()) > began + 1);
    await page.locator('.tile').first().getByText(/vừa xong|giây trước/).waitFor();
    return tile.evaluate((v) => /** @type {HTMLVideoElement} */ (v).videoWidth);
  };
  const four = await moving();
  await page.getByRole('button', { name: '1 ô' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.tile').length === 1);
  const one = await moving();
  return `${four} and ${one} pixels wide`;
});

await check('a browser without Media Source gets a picture a second, and is told so', async () => {
  const old = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  await old.addInitScript('delete window.MediaSource');
  shown = await old.newPage();
  watch(shown);
  await shown.goto(`${base}/live`);
  const img = shown.locator('.tile img').first();
  await img.waitFor();
  await shown.getByText('Mỗi giây một ảnh').first().waitFor();
  const first = await img.getAttribute('src');
  await until('the next picture', async () => (await img.getAttribute('src')) !== first);
  const width = await until('it', () => img.evaluate((i) => i instanceof HTMLImageElement && i.naturalWidth));
  await old.close();
  shown = page;
  return `${width} pixels wide`;
});

await check('at 390 px no page scrolls sideways', async () => {
  const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  shown = await phone.newPage();
  watch(shown);
  const pages = ['/', `/alerts/${alert.id}`, '/live', '/playback', '/cameras', '/cameras/new', `/cameras/${camera}`, `/cameras/${camera}/edit`];
  for (const path of pages) {
    await shown.goto(base + path);
    await shown.locator('h1').waitFor();
    await shown.locator('[role=status][aria-label="Đang tải…"]').waitFor({ state: 'detached' });
    const wide = await shown.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    must(wide <= 0, `${path} is ${wide} px too wide`);
  }
  await phone.close();
  shown = page;
  return pages.length + ' pages';
});

await check('nothing was asked of any other host', async () => {
  must(foreign.length === 0, foreign.join(', '));
});

await check('the browser had nothing to complain about', async () => {
  must(complaints.length === 0, complaints.join('; '));
});

await browser.close();
