// A rule drawn, tried on what was kept, and changed.
import { ask, base, check, must, tell } from './tools.mjs';

/** @param {import('playwright-core').Page} page @param {number} camera */
export async function rules(page, camera) {
  const line = async () => {
    const { rules: all } = await ask('/rules');
    return all.find((/** @type {any} */ rule) => rule.kind === 'line_crossing');
  };

  await check('a line is drawn, and what it would have said of the last days is shown at once', async () => {
    await page.goto(`${base}/cameras/${camera}`);
    await page.getByRole('button', { name: 'Thêm luật' }).first().click();
    const form = page.locator('dialog');
    await form.locator('label.kind', { hasText: 'Qua vạch ảo' }).click();
    await form.getByText('Vẽ xong sẽ thấy luật này đã báo những gì.').waitFor();
    const picture = form.locator('svg[role=application]');
    await picture.click({ position: { x: 60, y: 100 } });
    const tried = page.waitForResponse((r) => r.url().endsWith('/api/v1/rules/try'));
    await picture.click({ position: { x: 260, y: 110 } });
    const answer = await tried;
    must(answer.ok(), `the trial answered ${answer.status()}`);
    const { tracks, events } = await answer.json();
    await form.locator('.try').getByText(tracks === 0 ? /Chưa lưu lượt người, xe nào/ : /lần báo|Không báo lần nào/).waitFor();
    await form.getByRole('button', { name: 'Xem ngay' }).click();
    await form.getByRole('button', { name: 'Thêm luật' }).click();
    await form.waitFor({ state: 'detached' });
    const rule = await line();
    must(rule?.severity === 'high' && rule.line.length === 2, JSON.stringify(rule));
    return `${events} of ${tracks} tracks`;
  });

  await check('a rule is changed where it stands, and keeps what the form does not show', async () => {
    const before = await line();
    const { id, version: _version, ...kept } = before;
    await tell('PUT', `/rules/${id}`, { ...kept, quiet: ['11:00-13:00'] });
    await page.getByText('nghỉ 11:00-13:00').waitFor();
    await page.getByRole('button', { name: `Sửa luật ${before.name}` }).click();
    const form = page.locator('dialog');
    await form.getByRole('button', { name: 'Để biết' }).click();
    await form.getByRole('button', { name: 'Lưu luật' }).click();
    await form.waitFor({ state: 'detached' });
    const after = await line();
    must(after.severity === 'low' && after.quiet[0] === '11:00-13:00' && after.id === id, JSON.stringify(after));
    await page.locator('li', { hasText: 'Qua vạch ảo' }).getByText(/Để biết/).waitFor();
    return `version ${after.version}`;
  });
}
