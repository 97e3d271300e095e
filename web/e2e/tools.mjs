// What every chapter of the browser test stands on: the server, the browser, waiting for states, and a line a check.
import { chromium } from 'playwright-core';

/** A bound for hanging, not a speed to reach. */
export const PATIENCE_MS = 60_000;

/** @param {string} name */
export function given(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set; see the head of e2e/run.mjs`);
    process.exit(2);
  }
  return value;
}

export const base = given('BASE_URL').replace(/\/$/, '');

/** Everything the pages complained about or reached for; looked at in the last checks. */
/** @type {string[]} */
export const complaints = [];
/** @type {string[]} */
export const foreign = [];
/** Answers that a check provokes on purpose, `400 /cameras`; Chromium writes one console line for each. */
/** @type {string[]} */
const provoked = [];

/** The next answer of that status at that address is no complaint. @param {number} status @param {string} path */
export function provoke(status, path) {
  provoked.push(`${status} ${path}`);
}

/** @param {unknown} truth @param {string} sentence @returns {asserts truth} */
export function must(truth, sentence) {
  if (!truth) throw new Error(sentence);
}

/** @param {string} path */
export async function ask(path) {
  const answer = await fetch(`${base}/api/v1${path}`);
  must(answer.ok, `GET /api/v1${path} answered ${answer.status}`);
  return answer.json();
}

/** @param {string} method @param {string} path @param {unknown} body */
export async function tell(method, path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${base}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  must(answer.ok, `${method} /api/v1${path} answered ${answer.status}: ${await answer.text()}`);
}

/** Waits until `probe` gives something true, and gives it back.
 * @template T @param {string} what @param {() => Promise<T>} probe @returns {Promise<NonNullable<T>>} */
export async function until(what, probe) {
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
    const path = line.location().url.replace(`${base}/api/v1`, '');
    const at = provoked.findIndex((one) => line.text().includes(one.slice(0, 3)) && one.slice(4) === path);
    if (at >= 0) provoked.splice(at, 1);
    else complaints.push(`console: ${line.text()} (${line.location().url})`);
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

/** The page a picture is taken of when a check fails. @type {import('playwright-core').Page | undefined} */
let shown;

/** A person's browser, with its first tab; its own storage. Another time zone and language than the commune's: the pages
 * must show local time and Vietnamese all the same.
 * @param {import('playwright-core').BrowserContextOptions & { before?: string }} [options] */
export async function person(options = {}) {
  const { before, ...rest } = options;
  const context = await browser.newContext({
    viewport: { width: 1366, height: 768 },
    locale: 'en-US',
    timezoneId: 'America/New_York',
    ...rest,
  });
  if (before) await context.addInitScript(before);
  const last = shown;
  const tab = async () => {
    const page = await context.newPage();
    watch(page);
    shown = page;
    return page;
  };
  const page = await tab();
  const leave = async () => {
    await context.close();
    shown = last;
  };
  return { page, tab, leave };
}

/** @param {string} name @param {() => Promise<string | void>} proof */
export async function check(name, proof) {
  const began = Date.now();
  try {
    const note = await proof();
    console.log(`ok      ${name}${note ? ` (${note})` : ''} [${((Date.now() - began) / 1000).toFixed(1)} s]`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.log(`FAILED  ${name}: ${text.split('\n').slice(0, 6).join(' ')}`);
    for (const complaint of complaints) console.log(`        ${complaint}`);
    if (process.env.E2E_PICTURE && shown) await shown.screenshot({ path: process.env.E2E_PICTURE }).catch(() => undefined);
    await browser.close();
    process.exit(1);
  }
}

export const end = () => browser.close();

/** The time a player shows; throws what the player says is wrong. @param {import('playwright-core').Locator} video */
export const playedTo = (video) =>
  video.evaluate((v) => {
    const player = /** @type {HTMLVideoElement} */ (v);
    if (player.error) throw new Error(`the player says: ${player.error.message}`);
    return player.videoWidth > 0 ? player.currentTime : 0;
  });

/** Waits until it plays, and that its picture moves. @param {import('playwright-core').Locator} video @param {number} [seconds] */
export async function plays(video, seconds = 0.5) {
  await video.waitFor();
  await until('the picture', () => video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).readyState >= 3));
  const began = await playedTo(video);
  await until('moving', async () => (await playedTo(video)) > began + seconds);
  return video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).videoWidth);
}

/** `20:41:07` of the commune. @param {number} us */
export const clock = (us) => new Date(us / 1000 + 7 * 3_600_000).toISOString().slice(11, 19);
