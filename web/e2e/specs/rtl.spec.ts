import type { Locator } from '@playwright/test';
import { inspect } from '../harness/inspect.ts';
import { SIZES } from '../harness/states.ts';
import { CLIENT_KEY, expect, test } from '../harness/test.ts';
import { ask, buttons, openSettings } from '../harness/walk.ts';

const edges = async (element: Locator) => {
  const box = await element.boundingBox();
  if (!box) throw new Error('It is not drawn.');
  return { left: box.x, right: box.x + box.width };
};

const direction = (element: Locator) =>
  element.evaluate((node) => getComputedStyle(node).direction);

test.describe('from right to left', () => {
  test.use({ locale: 'ar-EG', reducedMotion: 'reduce' });

  test('everything is on the other side', async ({ chat, page }) => {
    const { width } = SIZES.desktop;
    await chat.open();
    await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
    expect((await edges(page.locator('.sidebar'))).right).toBe(width);
    await expect(chat.composer).toHaveCSS('direction', 'rtl');
    const send = await edges(page.locator('.composer .send'));
    const attach = await edges(page.locator('.composer .icon-button').first());
    expect(send.right).toBeLessThan(attach.left);

    await ask(page, 'Go on');
    const column = await edges(page.locator('article.answer'));
    const question = await edges(page.locator('.question-text'));
    expect(question.left - column.left).toBeLessThan(column.right - question.right);

    await buttons.status(page).click();
    await expect(page.locator('.st-head')).toBeVisible();
    expect((await edges(page.locator('.status-side'))).left).toBe(0);

    const picker = page.locator('header .picker');
    await picker.click();
    await expect(page.locator('.popover.models')).toBeVisible();
    expect((await edges(page.locator('.popover.models'))).right).toBe((await edges(picker)).right);
    await page.keyboard.press('Escape');

    await buttons.compare(page).click();
    const lanes = page.locator('.lane');
    await expect(lanes).toHaveCount(2);
    expect((await edges(lanes.first())).left).toBeGreaterThanOrEqual(
      (await edges(lanes.last())).right,
    );
  });

  test('names, keys, addresses and code run from the left', async ({ chat, page, another }) => {
    await chat.open();
    await ask(page, 'What would a small service need?');
    await expect(page.locator('.picker-name')).toHaveCSS('direction', 'ltr');
    const table = page.locator('article.answer table');
    for (const element of [table, page.locator('article.answer pre').first()])
      expect(await direction(element)).toBe('ltr');
    await page.locator('header .picker').click();
    const name = page.locator('.model-name').first();
    await expect(name).toHaveCSS('direction', 'ltr');
    // On the side where the row begins.
    const text = await name.evaluate((node) => {
      const range = document.createRange();
      range.selectNodeContents(node);
      return range.getBoundingClientRect().right;
    });
    expect(Math.abs(text - (await edges(page.locator('.model-names').first())).right)).toBeLessThan(
      1,
    );
    await page.keyboard.press('Escape');
    // Each figure with its unit, in the order of the text.
    const figures = page.locator('.meta-line bdi');
    const [first, last] = [await edges(figures.first()), await edges(figures.last())];
    expect(first.left).toBeGreaterThan(last.left);

    await page.goto(await another({ keyed: true }));
    const key = page.locator('.key-card input[type="password"]');
    await expect(key).toHaveCSS('direction', 'rtl');
    await key.fill(CLIENT_KEY);
    await expect(key).toHaveCSS('direction', 'ltr');
  });

  test('what points somewhere points to the other side', async ({ chat, page }) => {
    await chat.open();
    const mirrored = 'matrix(-1, 0, 0, 1, 0, 0)';
    const icons = page.locator('.sidebar .icon');
    await expect(icons.and(page.locator('.mirrored')).first()).toHaveCSS('transform', mirrored);
    await expect(icons.and(page.locator(':not(.mirrored)')).first()).toHaveCSS('transform', 'none');
    await ask(page, 'How long did it take?');
    await page.locator('.meta-line').click();
    await expect(page.locator('.bars')).toHaveCSS('transform', mirrored);
    await page.keyboard.press('Escape');

    await openSettings(page);
    const knob = page.locator('dialog.settings .switch');
    await expect(knob).toBeChecked();
    const side = () =>
      knob.evaluate((node) => Number.parseFloat(getComputedStyle(node, '::before').left));
    expect(await side()).toBe(3);
    await knob.uncheck();
    expect(await side()).toBe(17);
    await page.locator('#tab-general').focus();
    await page.keyboard.press('ArrowLeft');
    await expect(page.locator('#tab-models')).toBeFocused();
    await page.keyboard.press('ArrowRight');
    await expect(page.locator('#tab-general')).toBeFocused();
  });
});

test.describe('from right to left on a phone', () => {
  test.use({ locale: 'ar-EG', viewport: SIZES.phone, hasTouch: true, reducedMotion: 'reduce' });

  test('the list comes from the right', async ({ chat, page }) => {
    await chat.open();
    const sidebar = page.locator('.sidebar');
    await expect(sidebar).not.toBeInViewport();
    await page.locator('.side-toggle').click();
    await expect(sidebar).toBeInViewport();
    expect((await edges(sidebar)).right).toBe(SIZES.phone.width);
    await inspect(page, 'ar-drawer-phone');
  });
});
