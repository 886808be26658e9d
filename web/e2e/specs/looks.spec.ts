import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { SIZES, STATES, THEMES } from '../harness/states.ts';
import { CLIENT_KEY, expect, test } from '../harness/test.ts';

/** No violation of any impact, and nothing wider than the screen. */
async function inspect(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    (each) => `${each.id}: ${each.nodes.map((node) => node.html).join('\n  ')}`,
  );
  expect(found).toEqual([]);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over).toBeLessThanOrEqual(0);
}

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const theme of THEMES) {
    test.describe(`${size}, ${theme}`, () => {
      test.use({
        viewport,
        colorScheme: theme,
        hasTouch: size === 'phone',
        reducedMotion: 'reduce',
      });

      for (const state of STATES) {
        test(`${state.name} has nothing to object to`, async ({ chat, page }) => {
          await chat.open();
          await state.enter(page);
          await inspect(page);
          if (state.shot)
            await page.screenshot({ path: `shots/${state.name}-${size}-${theme}.png` });
        });
      }

      test('docs have nothing to object to', async ({ page, gateway }) => {
        await page.goto(`${gateway}/docs`);
        const call = page.getByRole('region', { name: 'Answer a conversation' });
        await call.getByRole('button', { name: 'Try it' }).click();
        await call.getByRole('button', { name: 'Send', exact: true }).click();
        await expect(call.locator('.dx-result')).toContainText('[DONE]');
        await inspect(page);
        await page.screenshot({ path: `shots/docs-${size}-${theme}.png` });
      });
    });
  }
}

test('asking for the key has nothing to object to', async ({ page, another }) => {
  const url = await another({ keyed: true });
  await page.goto(url);
  await page.getByLabel('Client key').fill(CLIENT_KEY.slice(1));
  await page.getByRole('button', { name: 'Use key' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect(page);
});

test.describe('a phone', () => {
  test.use({ viewport: SIZES.phone, hasTouch: true });

  test('keeps its list in a drawer', async ({ chat, page }) => {
    await chat.open();
    await chat.ask('In the drawer');
    await page.getByRole('button', { name: 'Conversations' }).click();
    await expect(page.getByRole('link', { name: /In the drawer/ })).toBeInViewport();
    await inspect(page);
    await page.getByRole('link', { name: /In the drawer/ }).click();
    await expect(page.getByRole('link', { name: /In the drawer/ })).not.toBeInViewport();
  });
});
