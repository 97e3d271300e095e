// Playback and live: the bar, a gap, downloads, tabs nobody sees, browsers that cannot play everything.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, base, check, clock, must, person, playedTo, plays, until } from './tools.mjs';

/** @typedef {import('playwright-core').Page} Page */
const S = 1_000_000;

/** The bar, with what it says: where its hand is and how to point at a moment. @param {Page} page */
function barOf(page) {
  const bar = page.getByRole('slider');
  const number = async (/** @type {string} */ name) => Number(await bar.getAttribute(name));
  const hand = () => number('aria-valuenow');
  /** @param {number} us */
  const pointTo = async (us) => {
    await bar.scrollIntoViewIfNeeded();
    const box = await bar.boundingBox();
    must(box, 'the bar is not on the page');
    const [from, to] = [await number('aria-valuemin'), await number('aria-valuemax')];
    await page.mouse.move(box.x + ((us / S - from) / (to - from)) * box.width, box.y + 36);
  };
  return { bar, hand, pointTo };
}

/** @param {Page} page @param {any} alert @param {any} gap of the first camera, over */
export async function playback(page, alert, gap) {
  const { bar, hand, pointTo } = barOf(page);
  const video = page.locator('.stage video');

  await check('an alert leads to the recording around it, which plays at its moment and seeks', async () => {
    await page.goto(`${base}/alerts/${alert.id}`);
    await page.getByRole('link', { name: 'Xem lại quanh lúc này' }).click();
    await page.waitForURL(`${base}/playback/${alert.camera}?at=*`);
    await video.waitFor();
    await until('playing', () => video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).readyState >= 3));
    const began = await playedTo(video);
    await until('moving', async () => (await playedTo(video)) > began + 0.3);
    const wanted = Math.round(alert.start_us / S);
    must(Math.abs((await hand()) - wanted) < 30, `the hand stands at ${await hand()}, the alert began at ${wanted}`);
    await page.getByRole('button', { name: 'Dừng', exact: true }).click();
    const before = await hand();
    await bar.focus();
    await page.keyboard.press('ArrowLeft');
    await until('the hand moved', async () => (await hand()) <= before - 5 || (await page.getByText('Đã chuyển đến').count()) > 0);
    return `from ${began.toFixed(1)} s of the film`;
  });

  await check('the bar shows what was recorded, what moved, what is missing and why, and alerts', async () => {
    await page.goto(`${base}/playback/${gap.camera}?at=${gap.start_us - 8 * S}`);
    await page.getByRole('button', { name: '1 giờ' }).click();
    for (const mark of ['rec', 'mot', 'gap', 'ev']) {
      await until(`.${mark} on the bar`, async () => (await bar.locator(`.${mark}`).count()) > 0);
    }
    await pointTo((gap.start_us + gap.end_us) / 2);
    await page.locator('.tip', { hasText: 'camera hỏng' }).waitFor();
  });

  await check('a click on the bar goes there', async () => {
    // Away from the gap, within what the first film holds or before it.
    const spans = (await ask(`/cameras/${gap.camera}/timeline?from=${gap.start_us - 600 * S}&to=${gap.start_us}`)).recorded;
    const first = spans.at(-1);
    must(first, 'nothing was recorded before the gap');
    const wanted = (first.start_us + first.end_us) / 2;
    await pointTo(wanted);
    await page.mouse.down();
    await page.mouse.up();
    // A pixel of an hour's bar is three seconds, and the film goes on.
    await until('the hand is there', async () => Math.abs((await hand()) - wanted / S) < 12);
    await plays(video);
  });

  await check('a film plays across a gap', async () => {
    await page.goto(`${base}/playback/${gap.camera}?at=${gap.start_us - 3 * S}`);
    await plays(video);
    const seen = new Set();
    await until('the other side of the gap', async () => {
      await playedTo(video);
      const at = await hand();
      seen.add(at);
      return at * S > gap.end_us + S;
    });
    const inside = [...seen].filter((at) => at * S > gap.start_us + 1.5 * S && at * S < gap.end_us - 1.5 * S);
    must(inside.length === 0, `the hand stood at ${inside} where nothing was recorded`);
    return `${((gap.end_us - gap.start_us) / S).toFixed(1)} s`;
  });

  await check('a chosen span is downloaded as one film that decodes, under the name of camera and time', async () => {
    await page.getByRole('button', { name: 'Tải hoặc khóa' }).click();
    // Whole seconds, as they are typed.
    const [from, to] = [gap.start_us - 5 * S, gap.end_us + 5 * S].map((us) => Math.floor(us / S) * S);
    const wanted = await ask(`/cameras/${gap.camera}/video.json?from=${from}&to=${to}&stream=main`);
    must(wanted.parts.length === 2, 'the span does not reach over the gap');
    for (const [label, us] of /** @type {[string, number][]} */ ([['Đến lúc', to], ['Từ lúc', from]])) {
      const field = page.getByRole('textbox', { name: label });
      await field.fill(clock(us));
      await field.press('Enter');
    }
    await page.getByText(/Trong đó .* không ghi hình/).waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Tải đoạn này' }).click();
    const download = await downloading;
    const folder = mkdtempSync(join(tmpdir(), 'vonglau-e2e-'));
    const file = join(folder, 'film.mp4');
    await download.saveAs(file);
    const decoded = spawnSync('ffmpeg', ['-v', 'error', '-i', file, '-f', 'null', '-'], { encoding: 'utf8' });
    const show = ['-v', 'error', '-count_frames', '-show_entries', 'stream=codec_name,nb_read_frames,duration', '-of', 'json', file];
    const probed = spawnSync('ffprobe', show, { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    must(decoded.status === 0 && decoded.stderr === '', `ffmpeg says: ${decoded.error ?? decoded.stderr}`);
    const [stream, ...others] = JSON.parse(probed.stdout).streams;
    must(stream.codec_name === 'h264' && others.length === 0, `it holds ${probed.stdout}`);
    must(Number(stream.nb_read_frames) > 30, `it has ${stream.nb_read_frames} pictures`);
    must(Math.abs(Number(stream.duration) - wanted.duration_us / S) < 0.2, `it lasts ${stream.duration} s of ${wanted.duration_us} µs`);
    const name = download.suggestedFilename();
    const code = (await ask(`/cameras/${gap.camera}`)).code;
    const [, named, day, time] = /^(C\d+)_(\d{4}-\d\d-\d\d)_(\d\d-\d\d-\d\d)\.mp4$/.exec(name) ?? [];
    must(named === code, `it is named ${name}`);
    const said = Date.parse(`${day}T${time?.replaceAll('-', ':')}+07:00`) * 1000;
    must(said === Math.floor(wanted.start_us / S) * S, `${name} begins at ${clock(wanted.start_us)}`);
    return `${name}, ${stream.nb_read_frames} pictures`;
  });

  await check('a tab nobody sees lets its film go, and goes on when it is seen again', async () => {
    await page.goto(`${base}/playback/${gap.camera}?at=${gap.start_us - 8 * S}`);
    await plays(video);
    /** @param {boolean} hidden */
    const hide = (hidden) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await hide(true);
    await video.waitFor({ state: 'detached' });
    const before = await hand();
    await hide(false);
    await plays(video);
    must(Math.abs((await hand()) - before) < 15, `it went on at ${await hand()}, it was at ${before}`);
  });
}

/** @param {Page} page */
export async function live(page) {
  await check('live pictures move, in four tiles and in one', async () => {
    await page.getByRole('link', { name: 'Trực tiếp', exact: true }).click();
    const moving = async () => {
      const width = await plays(page.locator('.tile video').first(), 1);
      await page.locator('.tile').first().getByText(/vừa xong|giây trước/).waitFor();
      return width;
    };
    const four = await moving();
    await page.getByRole('button', { name: '1 ô' }).click();
    await page.waitForFunction(() => document.querySelectorAll('.tile').length === 1);
    const one = await moving();
    return `${four} and ${one} pixels wide`;
  });

  await check('how old a live picture is when it is shown is said here, not judged', async () => {
    const { page: viewer, leave } = await person();
    let [opened, begun, first] = [0, 0, 0];
    viewer.on('websocket', (socket) => {
      opened ||= Date.now();
      socket.on('framereceived', ({ payload }) => {
        if (typeof payload === 'string') begun = JSON.parse(payload).start_us;
      });
    });
    const camera = (await ask('/cameras')).cameras[0].id;
    await viewer.addInitScript((id) => localStorage.setItem('live-tiles', JSON.stringify({ tiles: 1, ids: [id] })), camera);
    await viewer.goto(`${base}/live`);
    const video = viewer.locator('.tile video');
    await video.waitFor();
    await until('the first picture', () => video.evaluate((v) => /** @type {HTMLVideoElement} */ (v).readyState >= 2));
    first = Date.now() - opened;
    await plays(video, 3);
    const ages = await video.evaluate(
      (v, start_us) =>
        /** @type {Promise<number[]>} */ (
          new Promise((done) => {
            /** @type {number[]} */
            const got = [];
            /** @param {DOMHighResTimeStamp} _ @param {VideoFrameCallbackMetadata} frame */
            const next = (_, frame) => {
              got.push(performance.timeOrigin + frame.expectedDisplayTime - start_us / 1000 - frame.mediaTime * 1000);
              if (got.length === 15) done(got);
              else /** @type {HTMLVideoElement} */ (v).requestVideoFrameCallback(next);
            };
            /** @type {HTMLVideoElement} */ (v).requestVideoFrameCallback(next);
          })
        ),
      begun,
    );
    await leave();
    const median = ages.sort((a, b) => a - b)[7] ?? NaN;
    return `first picture ${first} ms after the line was opened; then ${Math.round(median)} ms old`;
  });

  await check('a browser without Media Source gets a picture a second, and is told so', async () => {
    const { page: old, leave } = await person({ before: 'delete window.MediaSource' });
    await old.goto(`${base}/live`);
    const img = old.locator('.tile img').first();
    await img.waitFor();
    await old.getByText('Mỗi giây một ảnh').first().waitFor();
    const first = await img.getAttribute('src');
    await until('the next picture', async () => (await img.getAttribute('src')) !== first);
    const width = await until('it', () => img.evaluate((i) => i instanceof HTMLImageElement && i.naturalWidth));
    await leave();
    return `${width} pixels wide`;
  });
}

/** No browser of this run plays H.265, whatever its build can. */
const NO_H265 = `
  const [typed, played] = [MediaSource.isTypeSupported, HTMLMediaElement.prototype.canPlayType];
  const h265 = /hvc1|hev1/;
  window.nativeH265 = played.call(document.createElement('video'), 'video/mp4; codecs="hvc1.1.6.L93.B0"');
  MediaSource.isTypeSupported = (type) => !h265.test(type) && typed.call(MediaSource, type);
  HTMLMediaElement.prototype.canPlayType = function (type) { return h265.test(type) ? '' : played.call(this, type); };
`;

/** @param {number} both with an H.264 sub stream @param {number} only without */
export async function h265(both, only) {
  const { page, leave } = await person({ before: NO_H265 });
  /** @param {number} id */
  const one = (id) => page.evaluate((id) => localStorage.setItem('live-tiles', JSON.stringify({ tiles: 1, ids: [id] })), id);

  await check('where the browser cannot play H.265, live shows the H.264 sub stream and says so', async () => {
    await page.goto(base);
    await one(both);
    await page.goto(`${base}/live`);
    await page.getByText('Luồng chính là H.265, trình duyệt này không phát được; đang xem luồng phụ.').waitFor();
    await plays(page.locator('.tile video'), 1);
    const native = await page.evaluate('window.nativeH265');
    return native ? `this browser itself can: "${native}"` : 'nor can this browser itself';
  });

  await check('and so does playback', async () => {
    await page.goto(`${base}/playback/${both}?at=${Date.now() * 1000 - 20 * S}`);
    await page.getByText('Luồng chính là H.265, trình duyệt này không phát được; đang xem luồng phụ.').waitFor();
    await plays(page.locator('.stage video'));
  });

  await check('without an H.264 stream there are pictures, a sentence, and the download', async () => {
    await one(only);
    await page.goto(`${base}/live`);
    await page.getByText('camera gửi H.265, trình duyệt này không phát được').waitFor();
    const img = page.locator('.tile img');
    await img.waitFor();
    await until('the live picture', () => img.evaluate((i) => /** @type {HTMLImageElement} */ (i).naturalWidth > 0));
    await page.goto(`${base}/playback/${only}?at=${Date.now() * 1000 - 20 * S}`);
    await page.getByText('Trình duyệt không phát được đoạn này; đang hiện ảnh.').waitFor();
    const still = page.locator('.stage img');
    await until('the picture', () => still.evaluate((i) => /** @type {HTMLImageElement} */ (i).naturalWidth > 0));
    const first = await still.getAttribute('src');
    await until('the next picture', async () => (await still.getAttribute('src')) !== first);
    await page.getByRole('button', { name: 'Tải hoặc khóa' }).click();
    await page.getByRole('link', { name: 'Tải đoạn này' }).waitFor();
  });
  await leave();
}
