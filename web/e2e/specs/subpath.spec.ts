import { expect, test } from '../harness/test.ts';

const CASES = [
  { name: 'root_path', options: { rootPath: '/gw' } },
  { name: 'a proxy that takes the prefix off', options: { prefix: '/tools/ai' } },
];

for (const { name, options } of CASES) {
  test(`the page works below ${name}`, async ({ page, another }) => {
    const url = await another(options);
    const failed: string[] = [];
    page.on('response', (response) => {
      if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(`${url}/`);
    await page.locator('#composer').fill('[[say rich]]');
    await page.keyboard.press('Enter');
    await expect(page.locator('article.answer')).toHaveAttribute('aria-busy', 'false');
    await expect(page.locator('article.answer math').first()).toBeVisible();
    await page.reload();
    await expect(page.locator('article.answer')).toBeVisible();
    await page.goto(`${url}/docs`);
    await expect(page.getByRole('region', { name: 'Create chat completion' })).toContainText(
      `${url}/v1`,
    );
    expect(failed).toEqual([]);
  });
}

test('the code of the demo names the address of the page', async ({ page, another }) => {
  const url = await another({ bare: true, prefix: '/tools/ai' });
  await page.goto(`${url}/`);
  await page.locator('#composer').fill('Show me the curl command');
  await page.keyboard.press('Enter');
  await expect(page.locator('article.answer pre').last()).toContainText(
    `curl -N ${url}/v1/chat/completions`,
  );
});
