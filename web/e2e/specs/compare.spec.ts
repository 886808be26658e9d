import { expect, test } from '../harness/test.ts';

test('two models answer side by side, and one is kept', async ({ chat, page, upstream }) => {
  await chat.open();
  await page.getByRole('button', { name: 'Compare models' }).first().click();
  await expect(page.locator('.lane')).toHaveCount(2);
  const before = upstream.requests.length;
  await chat.composer.fill('[[fast]] Which is better?');
  await chat.composer.press('Enter');
  await expect(page.locator('article.answer')).toHaveCount(2);
  for (const answer of await page.locator('article.answer').all()) {
    await expect(answer).toHaveAttribute('aria-busy', 'false');
    await expect(answer).toContainText('quick');
  }
  const models = upstream.requests.slice(before).map((request) => request.model);
  expect(models.sort()).toEqual(['fast-1', 'smart-1']);
  await page.reload();
  await expect(page.locator('article.answer')).toHaveCount(2);
  await page.getByRole('button', { name: /keep/i }).first().click();
  await expect(page.locator('.lane')).toHaveCount(0);
  await chat.ask('And now?');
  await expect(chat.last).toContainText('Echo of And now?');
});

test('a comparison that is opened and sent before the models are known gets its own', async ({
  chat,
  page,
  upstream,
}) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route('**/trunkline/status', async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${chat.url}/`);
  await page.getByRole('button', { name: 'Compare models' }).first().click();
  const names = page.locator('.lane-head .picker-name');
  await expect(names).toHaveText(['Loading models…', 'Loading models…']);
  const before = upstream.requests.length;
  await chat.send('Early birds');
  await expect(chat.answers).toHaveCount(2);
  release();
  await expect(names).toHaveText(['fast', 'smart']);
  const models = () => upstream.requests.slice(before).map((request) => request.model);
  await expect.poll(() => models().sort()).toEqual(['fast-1', 'smart-1']);
  for (const answer of await chat.answers.all()) await expect(answer).toContainText('Early birds');
});

test('the result of a tool call is shown in its lane', async ({ chat, page }) => {
  await chat.open();
  await page.getByRole('button', { name: 'Compare models' }).first().click();
  await chat.composer.fill('[[tools]]');
  await chat.composer.press('Enter');
  const lane = page.locator('.lane').first();
  await lane.getByLabel('Result of get_weather').fill('12 degrees');
  await lane.getByRole('button', { name: 'Send the result' }).click();
  await expect(lane.locator('article.question').last()).toContainText('get_weather: 12 degrees');
});
