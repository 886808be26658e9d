import { CLIENT_KEY, expect, test } from '../harness/test.ts';

test('every endpoint is shown with code', async ({ page, gateway }) => {
  await page.goto(`${gateway}/docs`);
  await expect(page.getByRole('heading', { name: 'API reference', level: 1 })).toBeVisible();
  const call = page.getByRole('region', { name: 'Create chat completion' });
  await expect(call.locator('pre').first()).toContainText(
    `curl -N '${gateway}/v1/chat/completions'`,
  );
  await call.getByRole('button', { name: 'Python' }).click();
  await expect(call.locator('pre').first()).toContainText(`base_url="${gateway}/v1"`);
  await call.getByRole('button', { name: 'JavaScript' }).click();
  await expect(call.locator('pre').first()).toContainText('new OpenAI({');
  await expect.poll(() => page.locator('.dx-op').count()).toBeGreaterThan(8);
});

test('a call is sent, and its response streams', async ({ page, gateway }) => {
  await page.goto(`${gateway}/docs`);
  const call = page.getByRole('region', { name: 'Create chat completion' });
  await call.getByRole('button', { name: 'Try it' }).click();
  await expect(call.getByRole('textbox')).toHaveValue(/"model": "fast"/);
  await call.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(call.getByRole('status')).toContainText('200');
  await expect(call.locator('.dx-text')).toContainText('Echo of Say hello');
  await expect(call.locator('.dx-result')).toContainText('data: [DONE]');
  await expect(call).toContainText('x-trunkline-request-id');
});

test('an error is shown unchanged', async ({ page, gateway }) => {
  await page.goto(`${gateway}/docs`);
  const call = page.getByRole('region', { name: 'Create chat completion' });
  await call.getByRole('button', { name: 'Try it' }).click();
  await call.getByRole('textbox').fill('{"model": "nonsense"');
  await expect(call).toContainText('Invalid JSON.');
  await call.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(call.getByRole('status')).toContainText('400');
  await expect(call.locator('.dx-result')).toContainText('invalid_json');
});

test('the key is requested, sent, and kept for the session', async ({ page, another }) => {
  const url = await another({ keyed: true });
  await page.goto(`${url}/docs`);
  await page.getByLabel('This gateway requires a key').fill(CLIENT_KEY);
  await page.getByRole('button', { name: 'Use key' }).click();
  await expect(page.getByText('until this tab is closed')).toBeVisible();
  const call = page.getByRole('region', { name: /^List models/ });
  await call.getByRole('button', { name: 'Try it' }).click();
  await call.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(call.locator('.dx-result')).toContainText('"fast"');
  expect(await page.evaluate(() => Object.values(localStorage).join())).not.toContain(CLIENT_KEY);
});

test('the list marks where one is, and a fold looks like one', async ({ page, gateway }) => {
  await page.goto(`${gateway}/docs`);
  const nav = page.getByRole('navigation', { name: 'Endpoints' });
  const current = nav.locator('[aria-current]');
  await expect(current).toHaveText('Create chat completion');
  await page.getByRole('region', { name: 'Create embeddings' }).scrollIntoViewIfNeeded();
  await page
    .getByRole('region', { name: 'Create embeddings' })
    .evaluate((element) => element.scrollIntoView());
  await expect(current).toHaveText('Create embeddings');
  const fold = page.locator('.dx-responses summary').first();
  const mark = () =>
    fold.evaluate((element) => {
      const { clipPath, transform } = getComputedStyle(element, '::before');
      return `${clipPath} ${transform}`;
    });
  const closed = await mark();
  expect(closed).toContain('polygon');
  await fold.click();
  expect(await mark()).not.toBe(closed);
  // The header ends where the content does.
  const bar = await page.locator('.dx-bar').boundingBox();
  const columns = await page.locator('.dx-columns').boundingBox();
  expect(bar?.width).toBe(columns?.width);
});

test('every call that is forwarded is listed by the name of the reference', async ({
  page,
  gateway,
  request,
}) => {
  await page.goto(`${gateway}/docs`);
  await page.getByRole('link', { name: 'All other calls' }).click();
  const list = page.getByRole('region', { name: 'Calls that are forwarded unchanged' });
  await expect(list).toBeInViewport();
  for (const name of ['Create transcription', 'Upload file', 'Create batch', 'Create vector store'])
    await expect(list.getByText(name, { exact: true })).toBeVisible();
  // Nothing is listed twice, and nothing that the gateway does not take.
  const rows = await list.locator('dd').allInnerTexts();
  const described = await page.locator('.dx-call').allInnerTexts();
  const all = [...rows, ...described].map((row) => row.replaceAll(/\s+/g, ' '));
  expect(new Set(all).size).toBe(all.length);
  for (const row of rows.filter((text) => /^(GET|DELETE) /.test(text)).slice(0, 20)) {
    const [method = '', path = ''] = row.split(/\s+/);
    const target = `${gateway}${path.replaceAll(/\{\w+\}/g, 'x')}`;
    const response = await request.fetch(target, { method });
    expect(await response.text(), row).not.toContain('unknown_url');
  }
});
