import { Chat, expect, test } from '../harness/test.ts';

test('discovered models are found in the picker, and answer', async ({
  page,
  another,
  upstream,
}) => {
  const chat = new Chat(page, await another({ discovers: true }));
  await chat.open();
  const picker = page.locator('header .picker');
  // Aliases are listed first.
  await expect(picker).toContainText('fast');
  await picker.click();
  const list = page.getByRole('dialog', { name: 'Models' });
  await expect(list).toContainText('more: search by name.');
  await expect(page.getByRole('option')).toHaveCount(200);
  // Configured models are listed even when the row limit leaves no space for the provider's
  // others.
  await expect(page.getByRole('option', { name: 'smart' })).toBeAttached();
  await page.getByRole('combobox', { name: 'Search models' }).fill('beta model-399');
  await expect(page.getByRole('option')).toHaveText([/beta\/org\/model-399/]);
  await page.keyboard.press('Enter');
  await expect(picker).toContainText('beta/org/model-399');
  await chat.ask('Who are you?');
  expect(upstream.requests.at(-1)?.model).toBe('org/model-399');
  await page.reload();
  await expect(picker).toContainText('beta/org/model-399');
  await expect(picker).not.toContainText('not listed');
});
