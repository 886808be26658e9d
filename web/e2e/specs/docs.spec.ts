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
  expect(await page.locator('.dx-op').count()).toBeGreaterThan(8);
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
