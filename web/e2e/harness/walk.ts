import type { Locator, Page } from '@playwright/test';
import { inspect } from './inspect.ts';
import { type Chat, expect } from './test.ts';

/** What a user does, without the names of things, which differ by language. */

/** Waits for the complete answer. */
export async function ask(page: Page, text: string): Promise<void> {
  const answers = page.locator('article.answer');
  const before = await answers.count();
  await page.locator('#composer').fill(text);
  await page.locator('.composer .send').click();
  await expect(answers).toHaveCount(before + 1);
  await expect(answers.last()).toHaveAttribute('aria-busy', 'false');
}

const header = (page: Page, at: number) => page.locator('header.header .icon-button').nth(at);

/** The visible buttons at the end of the header. */
export const buttons = {
  compare: (page: Page) => header(page, -3),
  status: (page: Page) => header(page, -2),
  menu: (page: Page) => header(page, -1),
};

export async function openSettings(page: Page): Promise<void> {
  await buttons.menu(page).click();
  await page.locator('.menu-item').last().click();
  await expect(page.locator('dialog.settings')).toBeVisible();
}

/** Those of fields of one line that are wider than their field. */
export function cutPlaceholders(fields: Locator): Promise<string[]> {
  return fields.evaluateAll((all) =>
    all.flatMap((field) => {
      const { placeholder, clientWidth } = field as HTMLInputElement;
      if (!placeholder || field instanceof HTMLTextAreaElement) return [];
      const context = document.createElement('canvas').getContext('2d');
      const style = getComputedStyle(field);
      if (context) context.font = `${style.fontSize} ${style.fontFamily}`;
      const room =
        clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
      return (context?.measureText(placeholder).width ?? 0) > room ? [placeholder] : [];
    }),
  );
}

/** Moves that no input caused, since the page opened. */
async function watchMoves(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const moves: number[] = [];
    Object.assign(window, { __moves: moves });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        moves.push((entry as unknown as { value: number }).value);
    }).observe({ type: 'layout-shift', buffered: true });
  });
  return () => page.evaluate(() => (window as unknown as { __moves: number[] }).__moves.length);
}

/** Inspects the main states; `shot` names the screenshot of each. */
export async function walk(chat: Chat, page: Page, shot: (state: string) => string): Promise<void> {
  const moves = await watchMoves(page);
  await chat.open();
  await expect(page.locator('.starts, .live-row').first()).toBeVisible();
  await inspect(page, shot('empty'));
  expect(await moves()).toBe(0);
  await ask(page, 'What would a small service need?');
  await expect(page.locator('.hl-keyword').first()).toBeVisible();
  await page.locator('.meta-line').last().click();
  await expect(page.locator('.popover')).toBeVisible();
  await inspect(page, shot('chat'));
  await page.keyboard.press('Escape');
  await buttons.status(page).click();
  await expect(page.locator('.st-recent li').first()).toBeVisible();
  await inspect(page, shot('status'));
  await page.locator('.st-head button').click();
  await page.locator('header .picker').click();
  await expect(page.getByRole('listbox')).toBeVisible();
  await inspect(page, shot('models'));
  await page.keyboard.press('Escape');
  await page.locator('.composer .icon-button').nth(1).click();
  await expect(page.locator('.params .field').first()).toBeVisible();
  expect(await cutPlaceholders(page.locator('.params .field'))).toEqual([]);
  await page.keyboard.press('Escape');
  await ask(page, 'Is anybody there?');
  await page.locator('.error-details summary').click();
  await inspect(page, shot('error'));
  await openSettings(page);
  const tabs = page.locator('.settings .tabs');
  expect(await tabs.evaluate((row) => row.scrollWidth - row.clientWidth)).toBe(0);
  await inspect(page, shot('settings'));
  await page.keyboard.press('Escape');
  await page.goto(`${chat.url}/docs`);
  await expect(page.locator('.dx-op').first()).toBeVisible();
  await inspect(page, shot('docs'));
}
