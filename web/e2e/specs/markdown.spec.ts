import { expect, test } from '../harness/test.ts';

test('an answer is rendered as Markdown', async ({ chat, page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await chat.open();
  await chat.ask('[[say rich]]');
  const md = chat.last.locator('.md');
  await expect(md.getByRole('heading', { name: 'Plan for a small service' })).toBeVisible();
  await expect(md.locator('strong')).toHaveText('small');
  await expect(md.locator('ol > li')).toHaveCount(3);
  await expect(md.locator('li input[type=checkbox]')).toHaveCount(2);
  await expect(md.getByRole('table').getByRole('row')).toHaveCount(3);
  await expect(md.locator('blockquote')).toHaveText('Keep it simple.');

  const link = md.getByRole('link', { name: 'link' });
  await expect(link).toHaveAttribute('href', 'https://example.com/guide');
  await expect(link).toHaveAttribute('rel', 'noopener noreferrer');

  // Highlighting and formulas are lazy chunks.
  await expect(md.locator('pre .hl-keyword').first()).toHaveText('import');
  await expect(md.locator('math')).toHaveCount(2);
  await expect(md.locator('mfrac').first()).toBeVisible();

  await md.getByRole('button', { name: 'Copy as CSV' }).click();
  const clip = () => page.evaluate(() => navigator.clipboard.readText());
  await expect
    .poll(clip)
    .toBe('Model,Speed,Price\r\nfast-1,274,0.15\r\n"smart, ""1""",81,2.50\r\n'.trimStart());
  await md.locator('.md-code').getByRole('button', { name: 'Copy' }).click();
  await expect.poll(clip).toContain('return f"Hello, {name}!');

  const pre = md.locator('pre');
  await expect(pre).toHaveCSS('white-space', 'pre');
  await md.getByRole('button', { name: 'Wrap' }).click();
  await expect(pre).toHaveCSS('white-space', 'pre-wrap');
  const download = page.waitForEvent('download');
  await md.getByRole('button', { name: 'Save' }).click();
  expect((await download).suggestedFilename()).toBe('code.py');

  await md.getByRole('button', { name: 'Footnote 1' }).click();
  await expect(md.locator('[data-note="1"]')).toBeFocused();
});

test('a remote image is a chip that shows its host', async ({ chat, page }) => {
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(chat.url)) foreign.push(request.url());
  });
  await chat.open();
  await chat.ask('[[say rich]]');
  const chip = chat.last.locator('.md-chip');
  await expect(chip).toContainText('images.example.net');
  await expect(chip.getByRole('link')).toHaveCount(0);
  await chip.getByRole('button').click();
  await expect(chip.getByRole('link')).toHaveAttribute('href', /^https:\/\/images\.example\.net/);
  expect(foreign.filter((url) => !/^(?:data|blob):/.test(url))).toEqual([]);
});

test('half a bold word is bold while it streams', async ({ chat, page }) => {
  await chat.open();
  await page.route('**/v1/chat/completions', async (route) => {
    const event = (text: string) =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`;
    await route.fulfill({
      headers: { 'content-type': 'text/event-stream' },
      body: event('Some **bold tex') + event('t** and [a link](https://example.org'),
    });
  });
  await chat.ask('Hello');
  await expect(chat.last.locator('.md')).toContainText('a link');
});

test('invalid formulas stay text', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[raw]]\nBad $\\frac{1}{$ and good $x^2$, costs $5 and $6.');
  await expect(chat.last.locator('math')).toHaveCount(1);
  await expect(chat.last).toContainText('costs $5 and $6.');
});
