import { Chat, expect, test } from '../harness/test.ts';

test('the request ids of two answers differ as shown', async ({ chat }) => {
  await chat.open();
  await chat.ask('One');
  await chat.ask('Two');
  const ids = await chat.page.locator('article.answer .meta').allInnerTexts();
  const tails = ids.map((text) => /#(\w+)/.exec(text)?.[1]);
  expect(tails).toHaveLength(2);
  expect(tails[0]).toBeTruthy();
  expect(tails[0]).not.toBe(tails[1]);
});

test('the name of the demo stands once', async ({ another, page }) => {
  const chat = new Chat(page, await another({ bare: true }));
  await chat.open();
  await chat.ask('Hello');
  await expect(chat.last.locator('.meta')).not.toContainText(/demo\s*·\s*demo/);
  await expect(chat.last.locator('.meta')).toContainText('demo');
});

test('header, picker and panel agree on how a model stands', async ({ another, page }) => {
  const chat = new Chat(page, await another({ targets: true }));
  await chat.open();
  const picker = page.locator('header .picker');
  await chat.model('away');
  await chat.ask('Is it there?');
  await expect(chat.last.locator('.card.error')).toBeVisible();
  await expect(picker).toContainText('Failing');
  await picker.click();
  await expect(page.getByRole('option', { name: /^away/ }).locator('.state')).toHaveText('Failing');
  // Another model of the same provider did not fail.
  await expect(page.getByRole('option', { name: /^fast/ }).locator('.state')).toHaveText('Ready');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const row = page
    .getByRole('complementary', { name: 'Gateway status' })
    .locator('.st-list li')
    .filter({ has: page.locator('.st-name', { hasText: /^away$/ }) });
  await expect(row.first()).toContainText('Failing');
});

test('a failing model is not chosen by default', async ({ another, page, browser }) => {
  const url = await another({ targets: true });
  const chat = new Chat(page, url);
  await chat.open();
  await expect(page.locator('header .picker-name')).toHaveText('away');
  await chat.ask('Fail once');
  await expect(chat.last.locator('.card.error')).toBeVisible();
  const context = await browser.newContext();
  const fresh = new Chat(await context.newPage(), url);
  await fresh.open();
  await expect(fresh.page.locator('header .picker-name')).toHaveText('fast');
  await fresh.page.getByRole('button', { name: 'Compare models' }).first().click();
  await expect(fresh.page.locator('.lane-head .picker-name')).toHaveText(['fast', 'smart']);
  await context.close();
});

test('a comparison from the sidebar takes the chosen model', async ({ chat, page }) => {
  await chat.open();
  await chat.model('smart');
  await page
    .getByRole('navigation', { name: 'Conversations' })
    .getByRole('button', { name: 'Compare models' })
    .click();
  await expect(page.locator('.lane-head .picker-name')).toHaveText(['smart', 'fast']);
});
