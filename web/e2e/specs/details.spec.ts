import type { Locator } from '@playwright/test';
import { inspect } from '../harness/inspect.ts';
import { SIZES } from '../harness/states.ts';
import { expect, test } from '../harness/test.ts';
import { cutPlaceholders } from '../harness/walk.ts';

async function box(element: Locator) {
  const found = await element.boundingBox();
  if (!found) throw new Error('not drawn');
  return found;
}

test('reasoning, stops, a seed and JSON are asked for beside the temperature', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await page.getByRole('button', { name: /Instructions and parameters/ }).click();
  await page.getByLabel('Reasoning').selectOption('low');
  await page.getByLabel('Seed').fill('7');
  await page.getByLabel('Stop at').fill('END\n\nSTOP\n');
  await page.getByLabel('Answer with a JSON object').check();
  await page.keyboard.press('Escape');
  await chat.ask('Go');
  expect(upstream.requests.at(-1)).toMatchObject({
    reasoning_effort: 'low',
    seed: 7,
    stop: ['END', 'STOP'],
    response_format: { type: 'json_object' },
  });
  await page.getByRole('button', { name: /Instructions and parameters/ }).click();
  await expect(page.getByLabel('Stop at')).toHaveValue('END\nSTOP');
  await page.getByLabel('Stop at').fill('');
  await page.getByLabel('Reasoning').selectOption('');
  await page.getByLabel('Seed').fill('');
  await page.getByLabel('Answer with a JSON object').uncheck();
  await page.keyboard.press('Escape');
  await chat.ask('Again');
  const body = upstream.requests.at(-1) ?? {};
  for (const name of ['reasoning_effort', 'seed', 'stop', 'response_format'])
    expect(body).not.toHaveProperty(name);
});

test('a long question is folded, and opens', async ({ chat, page }) => {
  await chat.open();
  await chat.ask(Array.from({ length: 90 }, (_, i) => `line ${i}`).join('\n'));
  const text = page.locator('.question-text');
  expect((await box(text)).height).toBeLessThan(400);
  await text.getByRole('button', { name: 'Show all' }).click();
  expect((await box(text)).height).toBeGreaterThan(1500);
  await text.getByRole('button', { name: 'Show less' }).click();
  expect((await box(text)).height).toBeLessThan(400);
  await chat.ask('short');
  await expect(text.last().getByRole('button')).toHaveCount(0);
});

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

test('a picture stands at the edge of its bubble, and is shown larger', async ({ chat, page }) => {
  await chat.open();
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'dot.png', mimeType: 'image/png', buffer: PIXEL });
  await expect(page.locator('.estimate')).toContainText('765');
  await chat.ask('look at this');
  const question = page.locator('article.question');
  const picture = await box(question.locator('img'));
  const bubble = await box(question.locator('.question-text'));
  expect(Math.abs(picture.x + picture.width - bubble.x - bubble.width)).toBeLessThan(6);
  await question.getByRole('button', { name: 'Show dot.png larger' }).click();
  const viewer = page.getByRole('dialog', { name: 'dot.png' });
  expect((await box(viewer.locator('img'))).width).toBeGreaterThan(picture.width);
  await inspect(page, 'viewer-desktop');
  await page.keyboard.press('Escape');
  await expect(viewer).toHaveCount(0);
});

test('the settings stand in the middle of their rows', async ({ chat, page }) => {
  await chat.open();
  await page.getByRole('button', { name: 'Settings' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  await expect(dialog.getByRole('radiogroup', { name: 'Theme' })).toBeVisible();
  const rows = await dialog.locator('.setting').all();
  expect(rows.length).toBeGreaterThan(4);
  for (const row of rows) {
    const outer = await box(row);
    const inner = await box(row.locator('.segments, input, output, select').first());
    const middle = (it: { y: number; height: number }) => it.y + it.height / 2;
    expect(Math.abs(middle(outer) - middle(inner))).toBeLessThan(3);
  }
});

test('the field of an edited question keeps its distance', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('Edit me');
  await page.locator('article.question').hover();
  await page.getByRole('button', { name: 'Edit message' }).click();
  const editor = await box(page.locator('.editor'));
  const name = await box(chat.last.locator('.answer-model'));
  expect(name.y - editor.y - editor.height).toBeGreaterThanOrEqual(12);
});

test('a wide table scrolls, breaks no column into pieces, and shows that it goes on', async ({
  chat,
}) => {
  await chat.open();
  const columns = Array.from({ length: 9 }, (_, i) => `a longer name ${i}`);
  const table = [columns, columns.map(() => '---'), columns.map(() => 'some words of text')];
  await chat.ask(`[[raw]]\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}`);
  const scroller = chat.last.locator('.md-scroll');
  const { inside, outside, image } = await scroller.evaluate((element) => ({
    inside: element.scrollWidth,
    outside: element.clientWidth,
    image: getComputedStyle(element).backgroundImage,
  }));
  expect(inside).toBeGreaterThan(outside);
  expect(image.match(/linear-gradient/g)).toHaveLength(4);
  const cell = chat.last.locator('td').first();
  expect((await box(cell)).height).toBeLessThan(70);
});

test('nothing typed is no number of tokens', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('word '.repeat(80));
  await expect(page.locator('.estimate')).toHaveCount(0);
  await chat.composer.fill('more');
  await expect(page.locator('.estimate')).toContainText('tokens');
  await expect(page.locator('.estimate')).toHaveAttribute('title', /conversation so far/);
});

test('an error says each thing once', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[status 500]]');
  const card = chat.last.locator('.card.error');
  await expect(card.locator(':scope > p')).toHaveCount(1);
});

test('marks beside names mean something', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('Hello');
  await page.locator('header .picker').click();
  await expect(page.getByRole('option').first()).toBeVisible();
  await expect(page.locator('.dot')).toHaveCount(0);
});

test.describe('a phone', () => {
  test.use({ viewport: SIZES.phone, hasTouch: true, isMobile: true });

  test('offers nothing that needs a keyboard, and opens none unasked', async ({ chat, page }) => {
    await chat.open();
    await page.locator('header').getByRole('button', { name: 'Menu' }).click();
    await expect(page.getByRole('menuitem', { name: 'Settings' })).toBeVisible();
    await expect(page.getByRole('menuitem', { name: 'Keyboard shortcuts' })).toHaveCount(0);
    await expect(page.getByText('Ctrl+K')).toBeHidden();
    await page.getByRole('menuitem', { name: 'Settings' }).click();
    await expect(page.getByRole('radiogroup', { name: 'Theme' })).toBeVisible();
    await expect(page.getByText('Send with')).toHaveCount(0);
    await expect(page.getByText('Single-key')).toHaveCount(0);
    await page.keyboard.press('Escape');
    await page.locator('header .picker').click();
    const search = page.getByRole('combobox', { name: 'Search models' });
    await expect(search).toBeVisible();
    await expect(search).not.toBeFocused();
  });

  test('cuts no placeholder', async ({ chat, page }) => {
    await chat.open();
    await page.getByRole('button', { name: /Instructions and parameters/ }).click();
    await expect(page.getByLabel('System prompt')).toBeVisible();
    expect(await cutPlaceholders(page.locator('.params .field'))).toEqual([]);
    await inspect(page, 'params-phone');
  });
});

test('the result of a tool call goes on with the conversation', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await chat.ask('[[tools]]');
  const send = page.getByRole('button', { name: 'Send the result' });
  await expect(send).toBeDisabled();
  await page.getByLabel('Result of get_weather').fill('Sunny, 21 degrees');
  await send.click();
  await expect(chat.answers).toHaveCount(2);
  await chat.settled();
  const call = {
    id: 'call_1',
    type: 'function',
    function: { name: 'get_weather', arguments: '{"city":"Bern","days":3}' },
  };
  expect(upstream.requests.at(-1)?.messages).toMatchObject([
    { role: 'user', content: '[[tools]]' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: 'Sunny, 21 degrees' },
  ]);
  await expect(page.locator('article.question').last()).toContainText('Sunny, 21 degrees');
  // Neither a call without a result nor a result without its call is ever sent.
  await chat.answers.first().hover();
  await page.locator('article.question').last().hover();
  await page.getByRole('button', { name: 'Delete message' }).last().click();
  await chat.ask('[[fast]] Something else');
  expect(JSON.stringify(upstream.requests.at(-1))).not.toMatch(/tool_call/);
});

test('a search shows the passages that it found', async ({ chat, page }) => {
  await chat.open();
  await chat.ask(
    'A long beginning that fills the title of the conversation all by itself.\n\nThe quince is a yellow fruit of the autumn.',
  );
  await page
    .getByRole('button', { name: /^New chat/ })
    .first()
    .click();
  await chat.ask('Quince jam');
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('quince');
  const rows = page.locator('.list-row');
  await expect(rows).toHaveCount(2);
  await expect(rows.locator('.list-passage')).toHaveText([
    /^…all by itself\. The quince is a yellow/,
  ]);
  await inspect(page, 'search-desktop');
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('');
  await expect(rows.locator('.list-passage')).toHaveCount(0);
});

test('a PDF is refused in plain words, also one that is text', async ({ chat, page }) => {
  await chat.open();
  const files = page.locator('input[type=file]');
  const buffer = Buffer.from('%PDF-1.4\nplain letters only');
  for (const file of [
    { name: 'typed.pdf', mimeType: 'application/pdf', buffer },
    { name: 'untyped', mimeType: '', buffer },
    { name: 'large.pdf', mimeType: 'application/pdf', buffer: Buffer.alloc(700_000, 65) },
  ]) {
    await files.setInputFiles(file);
    await expect(page.getByRole('region', { name: 'Notices' })).toContainText(
      `${file.name} is a PDF`,
    );
  }
  await expect(page.getByRole('list', { name: 'Attached' })).toHaveCount(0);
});
