import { CLIENT_KEY, expect, test } from '../harness/test.ts';

test('the key is requested, kept for the session, and selects the models', async ({
  page,
  another,
}) => {
  const url = await another({ keyed: true });
  await page.goto(url);
  await expect(page.getByRole('heading', { name: 'This gateway requires a key' })).toBeVisible();
  await page.getByLabel('Client key').fill('wrong');
  await page.getByRole('button', { name: 'Use key' }).click();
  await expect(page.getByRole('alert')).toContainText('rejected');
  await page.getByLabel('Client key').fill(CLIENT_KEY);
  await page.getByRole('button', { name: 'Use key' }).click();
  await expect(page.locator('#composer')).toBeVisible();

  await page.locator('header .picker').click();
  await expect(page.getByRole('option', { name: /fast/ })).toBeVisible();
  await expect(page.getByRole('option', { name: /smart/ })).toHaveCount(0);
  await page.keyboard.press('Escape');

  await page.locator('#composer').fill('Hello');
  await page.keyboard.press('Enter');
  await expect(page.locator('article.answer')).toContainText('Echo of Hello');
  expect(await page.evaluate(() => Object.values(localStorage).join())).not.toContain(CLIENT_KEY);
  await page.reload();
  await expect(page.locator('#composer')).toBeVisible();
});

test('a key is remembered if chosen, and forgotten', async ({ page, context, another }) => {
  const url = await another({ keyed: true });
  await page.goto(url);
  await page.getByLabel('Client key').fill(CLIENT_KEY);
  await page.getByLabel(/Remember/).check();
  await page.getByRole('button', { name: 'Use key' }).click();
  await expect(page.locator('#composer')).toBeVisible();
  const next = await context.newPage();
  await next.goto(url);
  await expect(next.locator('#composer')).toBeVisible();
});
