import { expect, test } from '../harness/test.ts';

test('the first message streams an answer with its metrics', async ({ chat, page }) => {
  await chat.open();
  // Long enough to compute a speed.
  await chat.ask('[[fast]] Hello there');
  await expect(chat.last).toContainText('quick quick');
  const meta = chat.last.locator('.meta');
  await expect(meta).toContainText('alpha');
  await expect(meta).toContainText('fast-1');
  await expect(meta).toContainText(/TTFT \d+ ms/);
  await expect(meta).toContainText(/tok\/s/);
  await expect(meta).toContainText('12');
  await meta.getByRole('button').click();
  await expect(page.getByText('Request id')).toBeVisible();
});

test('the demo model answers on a first start with no key', async ({ another, page }) => {
  await page.goto(await another({ bare: true }));
  await page.locator('#composer').fill('Hello');
  await page.keyboard.press('Enter');
  const answer = page.locator('article.answer');
  await expect(answer).toHaveAttribute('aria-busy', 'false');
  await expect(answer.locator('.prose')).not.toBeEmpty();
  await expect(answer.locator('.meta')).toContainText('demo');
});

test('the missing variables of a provider are easy to find', async ({ another, page }) => {
  await page.goto(await another({ bare: true }));
  await page.getByRole('button', { name: 'See what is missing' }).click();
  await expect(page.getByText('GROQ_API_KEY').first()).toBeVisible();
});

test('a message that is sent before the models are known waits for them', async ({
  chat,
  page,
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
  await chat.send('Early bird');
  await expect(page.getByText('Early bird').first()).toBeVisible();
  release();
  await chat.settled();
  await expect(chat.last).toContainText('Echo of Early bird');
});

test('an answer shows while it streams, and stops', async ({ chat, page }) => {
  await chat.open();
  await chat.send('[[hold]] please');
  await expect(chat.last).toContainText('word word');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await chat.settled();
  await expect(chat.last).toContainText('word word');
  await chat.last.getByRole('button', { name: 'Continue' }).click();
  await chat.settled();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.last).toContainText('word word');
  await expect(chat.last.getByRole('button', { name: 'Continue' })).toHaveCount(0);
});

test('a message sent during an answer is queued', async ({ chat, upstream }) => {
  await chat.open();
  await chat.send('[[hold]] one');
  await expect(chat.last).toContainText('word');
  await chat.composer.fill('two');
  await chat.composer.press('Enter');
  await expect(chat.composer).toHaveValue('');
  await expect(chat.answers).toHaveCount(1);
  upstream.release();
  await expect(chat.answers).toHaveCount(2);
  await expect(chat.last).toContainText('Echo of two');
});

test('an answer is regenerated, also by another model, and all versions are kept', async ({
  chat,
  page,
}) => {
  await chat.open();
  await chat.model('fast');
  await chat.ask('One');
  await chat.last.getByRole('button', { name: 'Answer again', exact: true }).click();
  await expect(chat.last).toContainText('2 / 2');
  await chat.settled();
  await chat.last.getByRole('button', { name: 'Answer again with another model' }).click();
  await page.getByRole('option', { name: /smart/ }).click();
  await expect(chat.last).toContainText('3 / 3');
  await chat.settled();
  await expect(chat.last.locator('.answer-model')).toContainText('smart');
  await chat.last.getByRole('button', { name: 'Previous version' }).click();
  await expect(chat.last.locator('.answer-model')).toContainText('fast');
});

test('a question is edited and the earlier branch is kept', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('First wording');
  const question = page.locator('article.question');
  await question.hover();
  await question.getByRole('button', { name: 'Edit message' }).click();
  await question.getByRole('textbox').fill('Second wording');
  await question.getByRole('button', { name: 'Send' }).click();
  await expect(chat.last).toContainText('Echo of Second wording');
  await question.hover();
  await question.getByRole('button', { name: 'Previous version' }).click();
  await expect(chat.last).toContainText('Echo of First wording');
});

test('the model changes within a conversation and is kept with each answer', async ({
  chat,
  page,
}) => {
  await chat.open();
  await chat.model('fast');
  await chat.ask('One');
  await chat.model('smart');
  await chat.ask('Two');
  await page.reload();
  await expect(chat.answers.first().locator('.answer-model')).toContainText('fast');
  await expect(chat.last.locator('.answer-model')).toContainText('smart');
});

test('instructions and parameters are sent', async ({ chat, page, upstream }) => {
  await chat.open();
  await page.getByRole('button', { name: /instructions|parameters/i }).click();
  await page.getByLabel('System prompt').fill('Be brief.');
  await page.getByLabel(/temperature/i).fill('0.5');
  await page.keyboard.press('Escape');
  await chat.ask('[[fast]] go');
  const body = upstream.requests.at(-1) as unknown as Record<string, unknown>;
  expect(body.temperature).toBe(0.5);
  expect(body.messages).toMatchObject([{ role: 'system', content: 'Be brief.' }, { role: 'user' }]);
});

test('reasoning is shown separately, from a field or from tags', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[reasoning]]');
  await expect(chat.last.locator('details.reasoning')).toBeVisible();
  await expect(chat.last.locator('.prose').last()).toContainText('Then I answer.');
  await chat.ask('[[think]]');
  await expect(chat.last.locator('details.reasoning summary')).toBeVisible();
  await expect(chat.last.locator('.prose').last()).toHaveText('Open answer');
});

test('tool calls are shown', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[tools]]');
  await expect(chat.last).toContainText('get_weather');
  await expect(chat.last).toContainText('Bern');
});

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

test('images and text files are sent', async ({ chat, page, upstream }) => {
  await chat.open();
  await page.locator('input[type=file]').setInputFiles([
    { name: 'dot.png', mimeType: 'image/png', buffer: PIXEL },
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('the notes') },
  ]);
  await expect(page.getByText('notes.txt')).toBeVisible();
  await chat.ask('[[fast]] look');
  const content = upstream.requests.at(-1)?.messages.at(-1)?.content;
  expect(JSON.stringify(content)).toContain('the notes');
  expect(JSON.stringify(content)).toContain('data:image/');
  await page.reload();
  await expect(page.locator('article.question img').first()).toBeVisible();
});

test('an image is pasted from the clipboard', async ({ chat, page }) => {
  await chat.open();
  await chat.composer.focus();
  await page.evaluate(
    async (bytes) => {
      const file = new File([new Uint8Array(bytes)], 'pasted.png', { type: 'image/png' });
      const data = new DataTransfer();
      data.items.add(file);
      const event = new ClipboardEvent('paste', {
        clipboardData: data,
        bubbles: true,
        cancelable: true,
      });
      // Firefox ignores the member above.
      Object.defineProperty(event, 'clipboardData', { value: data });
      document.activeElement?.dispatchEvent(event);
    },
    [...PIXEL],
  );
  await expect(page.getByRole('button', { name: /remove/i })).toBeVisible();
});

test('a request is copied as code', async ({ chat, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await chat.open();
  await chat.ask("It's a question");
  for (const [name, part] of [
    ['curl', "'It'\\''s a question'"],
    ['Python', 'client.chat.completions.create('],
    ['JavaScript', 'new OpenAI({'],
  ]) {
    const item = page.getByRole('menuitem', { name: `Copy as ${name}` });
    await chat.last.getByRole('button', { name: 'More' }).click();
    await item.click();
    await expect
      .poll(() => page.evaluate(() => navigator.clipboard.readText()))
      .toContain(name === 'curl' ? "It'\\''s a question" : part);
  }
});

test('a menu closes by its own button and opens again at once', async ({ chat, page }) => {
  await chat.open();
  const button = page.locator('header').getByRole('button', { name: 'Menu' });
  const menu = page.getByRole('menu');
  for (let times = 0; times < 2; times++) {
    await button.click();
    await expect(menu).toBeVisible();
    await button.click();
    await expect(menu).toHaveCount(0);
  }
  await button.press('Enter');
  await expect(menu).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(menu).toHaveCount(0);
  await expect(button).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(menu).toBeVisible();
});

test('the palette finds commands by keyboard', async ({ chat, page }) => {
  await chat.open();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.type('settings');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: /settings/i })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});
