// Search by a line, and the plan of cameras.
import { ask, base, check, must } from './tools.mjs';

/** @param {import('playwright-core').Page} page */
export async function search(page) {
  await check('a line without accents finds alerts and shows how it was understood', async () => {
    await page.goto(`${base}/search`);
    await page.locator('#q').fill('co chuyen dong hom nay');
    await page.locator('#q').press('Enter');
    await page.locator('article a[href^="/alerts/"]').first().waitFor();
    const chips = await page.locator('.chips .chip').allTextContents();
    must(chips.some((chip) => chip.includes('có chuyển động')), `chips: ${chips.join(', ')}`);
    must(new URL(page.url()).searchParams.get('q') === 'co chuyen dong hom nay', page.url());
    return `${chips.length} chips`;
  });

  await check('another reading of a word can be chosen', async () => {
    await page.goto(`${base}/search?q=xe+do+hom+nay`);
    await page.locator('.chips .chip', { hasText: 'đỏ' }).click();
    await page.locator('.open .btn', { hasText: /^đỗ$/ }).click();
    await page.locator('.chips .chip', { hasText: 'dừng, đỗ lâu' }).waitFor();
    return page.locator('#q').inputValue();
  });

  await check('a time is changed at its chip', async () => {
    await page.locator('.chips .chip').first().click();
    await page.locator('.open .btn', { hasText: 'Hôm qua' }).click();
    await page.waitForFunction(() => {
      const box = document.querySelector('#q');
      return box instanceof HTMLInputElement && box.value.includes('hôm qua');
    });
  });
}

/** @param {import('playwright-core').Page} page */
export async function plan(page) {
  await check('a way between two cameras is drawn and kept', async () => {
    await page.goto(`${base}/plan`);
    await page.locator('svg.plan .spot').nth(1).waitFor();
    await page.locator('svg.plan .spot').first().focus();
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('button', { name: 'Thêm đường' }).click();
    await page.locator('li input').last().fill('1:30');
    await page.getByRole('button', { name: 'Lưu sơ đồ' }).click();
    await page.getByText('Đã lưu sơ đồ.').waitFor();
    const kept = await ask('/plan');
    must(kept.ways.some((/** @type {any} */ way) => way.drawn_s === 90), JSON.stringify(kept));
    must(kept.spots.length >= 2, 'spots are kept');
    return `${kept.ways.length} way`;
  });
}
