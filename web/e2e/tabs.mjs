// Many tabs of one browser: it opens at most six connections to a server.
import { ask, base, check, person, tell } from './tools.mjs';

/** @param {number} camera @param {string} name */
async function rename(camera, name) {
  const { code, cluster, hamlet, username, streams } = await ask(`/cameras/${camera}`);
  const of = (/** @type {string} */ kind) => streams.find((/** @type {any} */ s) => s.kind === kind)?.url ?? '';
  await tell('PUT', `/cameras/${camera}`, { name, code, cluster, hamlet, username, main_url: of('main'), sub_url: of('sub') });
}

/** @param {number} camera */
export async function tabs(camera) {
  const { name } = await ask(`/cameras/${camera}`);

  await check('the seventh tab loads, and hears of a change as the first does', async () => {
    const { page: first, tab, leave } = await person();
    let last = first;
    for (let n = 1; n <= 7; n++) {
      if (n > 1) last = await tab();
      await last.goto(`${base}/cameras`);
      await last.getByRole('link', { name, exact: true }).waitFor();
    }
    await rename(camera, `${name} (mới)`);
    for (const page of [last, first]) await page.getByRole('link', { name: `${name} (mới)`, exact: true }).waitFor();
    await rename(camera, name);
    await leave();
  });

  await check('a browser without shared workers hears of changes too', async () => {
    const { page, leave } = await person({ before: 'delete window.SharedWorker' });
    await page.goto(`${base}/cameras`);
    await page.getByRole('link', { name, exact: true }).waitFor();
    await rename(camera, `${name} (mới)`);
    await page.getByRole('link', { name: `${name} (mới)`, exact: true }).waitFor();
    await rename(camera, name);
    await leave();
  });
}
