import { expect, test } from '../harness/test.ts';

test('the theme is chosen and kept', async ({ chat, page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await chat.open();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('radio', { name: 'Dark' }).check({ force: true });
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('instructions are saved as a preset', async ({ chat, page }) => {
  await chat.open();
  await page.getByRole('button', { name: /Instructions and parameters/ }).click();
  await page.getByLabel('System prompt').fill('Speak like a pilot.');
  await page.getByRole('button', { name: /save/i }).click();
  await page.getByRole('textbox', { name: /name/i }).fill('Pilot');
  await page.keyboard.press('Enter');
  await page.reload();
  await page.getByRole('button', { name: /Instructions and parameters/ }).click();
  await expect(page.getByRole('dialog').getByText('Pilot').first()).toBeAttached();
});

test('files are dropped anywhere on the page', async ({ chat, page }) => {
  await chat.open();
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['dropped words'], 'dropped.txt', { type: 'text/plain' }));
    for (const type of ['dragover', 'drop']) {
      document.body.dispatchEvent(
        new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }),
      );
    }
  });
  await expect(page.getByText('dropped.txt')).toBeVisible();
});

test('a model is chosen by keyboard alone', async ({ chat, page }) => {
  await chat.open();
  await page.keyboard.press('Control+/');
  await expect(page.getByRole('combobox', { name: 'Search models' })).toBeFocused();
  await page.keyboard.type('smart');
  await page.keyboard.press('Enter');
  await expect(page.locator('header .picker')).toContainText('smart');
  await page.keyboard.press('Control+/');
  // Models that are not ready are listed with the reason and cannot be selected.
  const missing = page.getByRole('option', { name: /gpt-4o/ }).first();
  await expect(missing).toHaveAttribute('aria-disabled', 'true');
  await page.keyboard.press('Escape');
  await expect(missing).toHaveCount(0);
  // The focus returns a frame later.
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
});

test('a screen reader hears the start and the end of an answer only', async ({ chat, page }) => {
  await chat.open();
  await page.evaluate(() => {
    const heard: string[] = [];
    Object.assign(window, { __heard: heard });
    const region = [...document.querySelectorAll('[role=status]')].at(-1);
    if (region)
      new MutationObserver(() => heard.push(region.textContent ?? '')).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
      });
  });
  await chat.ask('[[fast]] speak');
  await expect
    .poll(() => page.evaluate(() => (window as unknown as { __heard: string[] }).__heard.length))
    .toBeGreaterThan(1);
  const heard = await page.evaluate(() => (window as unknown as { __heard: string[] }).__heard);
  expect(heard.length).toBeLessThan(5);
  expect(heard.find(Boolean)).toContain('is answering');
});

test('a deleted message comes back by undo', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('Keep me');
  const question = page.locator('article.question');
  await question.hover();
  await question.getByRole('button', { name: 'Delete message' }).click();
  await expect(question).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(question).toContainText('Keep me');
});

test('a conversation is saved as Markdown', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('For the record');
  await page.locator('header').getByRole('button', { name: 'Menu' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: /Markdown/ }).click();
  expect((await download).suggestedFilename()).toMatch(/\.md$/);
});
