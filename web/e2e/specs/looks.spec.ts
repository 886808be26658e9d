import { inspect } from '../harness/inspect.ts';
import { SIZES, STATES } from '../harness/states.ts';
import { CLIENT_KEY, expect, test } from '../harness/test.ts';

for (const [size, viewport] of Object.entries(SIZES)) {
  test.describe(size, () => {
    test.use({ viewport, hasTouch: size === 'phone', reducedMotion: 'reduce' });

    for (const state of STATES) {
      test(`${state.name} has no accessibility violations`, async ({ chat, page }) => {
        await chat.open();
        await state.enter(page);
        await inspect(page, state.shot ? `${state.name}-${size}` : undefined);
      });
    }

    test('docs have no accessibility violations', async ({ page, gateway }) => {
      await page.goto(`${gateway}/docs`);
      const call = page.getByRole('region', { name: 'Create chat completion' });
      await call.getByRole('button', { name: 'Try it' }).click();
      await call.getByRole('button', { name: 'Send', exact: true }).click();
      await expect(call.locator('.dx-result')).toContainText('[DONE]');
      await inspect(page, `docs-${size}`);
    });
  });
}

test('the key card has no accessibility violations', async ({ page, another }) => {
  const url = await another({ keyed: true });
  await page.goto(url);
  await page.getByLabel('Client key').fill(CLIENT_KEY.slice(1));
  await page.getByRole('button', { name: 'Use key' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect(page, 'key-desktop');
});

test('unavailable targets show the reason as text', async ({ page, another }) => {
  const url = await another({ targets: true });
  await page.goto(url);
  await page.locator('header .picker').click();
  await page.getByRole('option', { name: /spread/ }).click();
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const panel = page.getByRole('complementary', { name: 'Gateway status' });
  const targets = panel.getByRole('list', { name: 'Targets' }).getByRole('listitem');
  await expect(targets).toHaveText([
    /broken.*Ready/,
    /busy.*Ready/,
    /alpha.*Ready/,
    /lacking.*Not set up/,
  ]);
  await page.locator('#composer').fill('Find a way');
  await page.keyboard.press('Enter');
  await expect(page.locator('article.answer')).toContainText('Echo of Find a way');
  await expect(targets).toHaveText([
    /broken.*Failing, \d+ s/,
    /busy.*Cooldown, \d+ s/,
    /alpha.*Ready/,
    /lacking.*Not set up/,
  ]);
  await expect(page.locator('header .picker')).toContainText('2 of 3 targets unavailable');
  await targets.first().scrollIntoViewIfNeeded();
  await inspect(page, 'targets-desktop');
});

test.describe('a phone', () => {
  test.use({ viewport: SIZES.phone, hasTouch: true });

  test('shows the list in a drawer', async ({ chat, page }) => {
    await chat.open();
    await chat.ask('In the drawer');
    await page.getByRole('button', { name: 'Conversations' }).click();
    await expect(page.getByRole('link', { name: /In the drawer/ })).toBeInViewport();
    await inspect(page, 'drawer-phone');
    await page.getByRole('link', { name: /In the drawer/ }).click();
    await expect(page.getByRole('link', { name: /In the drawer/ })).not.toBeInViewport();
  });
});
