// What a person does in the pages, in headless Chromium against a running server:
//
//   BASE_URL=http://127.0.0.1:8080 SIM_MAIN_URL=rtsp://… SIM_SUB_URL=rtsp://… H265_CAMERA=2 H265_ONLY=3 node e2e/run.mjs
//
// The server must have recorded at least one alert that is over and a gap of cause `camera` of the alert's camera; SIM_…
// is a camera to add, H265_CAMERA the id of one with a main stream in H.265 and a sub stream in H.264, H265_ONLY of one
// with H.265 alone. CHROMIUM names another browser than Debian's, E2E_PICTURE a file for a picture of the page where a
// check failed. One line a check; the first failure ends the run.
import * as keep from './keep.mjs';
import * as pages from './pages.mjs';
import { rules } from './rules.mjs';
import { plan, search } from './search.mjs';
import { tabs } from './tabs.mjs';
import { ask, base, check, complaints, end, foreign, given, must, person, until } from './tools.mjs';
import * as video from './video.mjs';

const { page } = await person();
const camera = await pages.cameras(page);
const alert = await pages.alerts(page);

await search(page);
await plan(page);
await rules(page, alert.camera);

const gap = await until('a gap of the camera that has alerts', async () => {
  const { streams } = await ask(`/cameras/${alert.camera}/gaps`);
  const main = streams.find((/** @type {any} */ stream) => stream.kind === 'main');
  const found = main?.gaps.find((/** @type {any} */ one) => one.cause === 'camera' && !one.open);
  return found && { ...found, camera: alert.camera };
});
await video.playback(page, alert, gap);
await video.live(page);
await keep.gaps(page, gap);
await keep.locks(page, gap);
await keep.planned(page);
await keep.alarms();
await video.h265(Number(given('H265_CAMERA')), Number(given('H265_ONLY')));
await tabs(camera);

await check('at 390 px no page scrolls sideways and everything can be touched', async () => {
  const { page: phone, leave } = await person({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const storage = ['/storage', '/storage/gaps', '/storage/locks', '/storage/planned'];
  const paths = ['/', '/search', '/search?q=xm+do+toi+qua+cho', '/routes', '/plan', '/tracks', `/alerts/${alert.id}`, '/live', '/playback', '/cameras', '/cameras/new', `/cameras/${camera}`, `/cameras/${camera}/edit`, ...storage];
  for (const path of paths) {
    await phone.goto(base + path);
    await phone.locator('h1').waitFor();
    await phone.locator('[role=status][aria-label="Đang tải…"]').waitFor({ state: 'detached' });
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    must(wide <= 0, `${path} is ${wide} px too wide`);
    const small = await phone.evaluate(() =>
      [...document.querySelectorAll('a, button, select, input, summary')]
        .filter((one) => !one.matches('[data-card], .sr') && one.checkVisibility())
        .map((one) => ({ one, box: (one.closest('label') ?? one).getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.width < 43.5 || box.height < 43.5))
        .map(({ one, box }) => `${one.tagName} "${one.textContent?.trim().slice(0, 30)}" ${Math.round(box.width)}×${Math.round(box.height)}`),
    );
    must(small.length === 0, `${path}: too small to touch: ${small.join(', ')}`);
  }
  await leave();
  return `${paths.length} pages`;
});

await check('nothing was asked of any other host', async () => {
  must(foreign.length === 0, foreign.join(', '));
});

await check('the browser had nothing to complain about', async () => {
  must(complaints.length === 0, complaints.join('; '));
});

await end();
