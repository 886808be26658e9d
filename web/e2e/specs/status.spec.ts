import type { Page } from '@playwright/test';
import { inspect } from '../harness/inspect.ts';
import { SIZES } from '../harness/states.ts';
import { Chat, CLIENT_KEY, expect, test } from '../harness/test.ts';

test('the panel shows the gateway live', async ({ chat, page }) => {
  await chat.open();
  await chat.model('fast');
  await chat.ask('Count me');
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const panel = page.getByRole('complementary', { name: 'Gateway status' });
  await expect(panel).toContainText('Live');
  await expect(panel).toContainText('fast');
  await expect(panel).toContainText('alpha');
  await expect(panel.locator('.st-recent li').first()).toContainText('fast');
  // What is set up stands first, what was asked last and how to connect above it.
  const tops = await Promise.all(
    ['Last requests', 'Connect', 'Models', 'Providers'].map(async (name) => {
      const heading = panel.getByRole('heading', { name: new RegExp(`^${name}`) });
      return (await heading.boundingBox())?.y ?? 0;
    }),
  );
  expect(tops).toEqual([...tops].sort((a, b) => a - b));
  await expect(panel.getByText('OPENAI_API_KEY')).toHaveCount(0);
  await panel
    .getByText(/\d+ not set up/)
    .first()
    .click();
  // A model without a key names the missing variable.
  await expect(panel.getByText('OPENAI_API_KEY').first()).toBeVisible();
  await expect(panel.getByRole('button', { name: 'Copy OPENAI_API_KEY' }).first()).toBeVisible();
});

test('many requests do not push away what stands below them', async ({ chat, page }) => {
  await chat.open();
  for (const word of ['One', 'Two', 'Three', 'Four', 'Five']) await chat.ask(word);
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const rows = page.locator('.st-recent li');
  await expect(rows).toHaveCount(4);
  await page.getByRole('button', { name: /Show the last \d+/ }).click();
  await expect.poll(() => rows.count()).toBeGreaterThan(4);
});

test('the panel updates by itself, and links to the message', async ({
  chat,
  page,
  context,
  gateway,
}) => {
  await chat.open();
  await chat.ask('Find me again');
  await page
    .getByRole('button', { name: /^New chat/ })
    .first()
    .click();
  await page.keyboard.press('Control+j');
  const panel = page.getByRole('complementary', { name: 'Gateway status' });
  await expect(panel).toContainText('Live');
  const other = await context.request.post(`${gateway}/v1/chat/completions`, {
    data: { model: 'smart', messages: [{ role: 'user', content: 'from elsewhere' }], stream: true },
  });
  expect(other.ok()).toBe(true);
  await expect(panel.locator('.st-recent li').first()).toContainText('smart');
  await panel.getByRole('button', { name: 'Show message' }).first().click();
  await expect(chat.last).toContainText('Find me again');
  await panel.getByRole('button', { name: 'Close status' }).click();
  await expect(panel).toHaveCount(0);
});

test('the panel shows when the gateway is down, and reconnects', async ({ chat, page }) => {
  await chat.open();
  await page.route('**/trunkline/status/events', (route) => route.abort());
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const panel = page.getByRole('complementary', { name: 'Gateway status' });
  await expect(panel).toContainText(/Retry in \d s/);
  await page.unroute('**/trunkline/status/events');
  await expect(panel).toContainText('Live');
});

test('the picker draws the last first-token times, and the composer the context usage', async ({
  chat,
  page,
}) => {
  await page.route('**/trunkline/status', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    for (const model of status.models) model.context = 1000;
    await route.fulfill({ response, json: status });
  });
  await chat.open();
  for (const word of ['One', 'Two', 'Three']) await chat.ask(word);
  const bar = page.getByRole('meter', { name: 'Context used' });
  await expect(bar).toBeVisible();
  await page.locator('#composer').fill('word '.repeat(400));
  await expect
    .poll(() => bar.evaluate((meter: HTMLMeterElement) => meter.value))
    .toBeGreaterThan(400);
  await expect(page.locator('.estimate')).toContainText(/≈ \d+ \/ 1K tokens/);
  await page.locator('header .picker').click();
  const row = page.getByRole('option', { name: /fast/ });
  await expect(row.locator('.spark path')).toBeAttached();
  await expect(row).toContainText(/\d ms/);
  // The page asks for the status again and again.
  await page.unrouteAll({ behavior: 'wait' });
});

test('snippets contain the URL of this gateway', async ({ chat, page, context, gateway }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await chat.open();
  await page.getByRole('button', { name: 'Gateway status' }).click();
  await page.getByRole('button', { name: 'Python', exact: true }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toContain(`base_url="${gateway}/v1"`);
});

const EVERYONE = `[limits.each-key]
per = ["key"]
budget = ["10/day"]
requests = ["60/minute"]
[limits.search-team]
teams = ["search"]
budget = ["0.05/month"]
at_limit = "observe"`;

/** Opens the page with the client key. */
async function enter(page: Page, url: string): Promise<Chat> {
  await page.goto(url);
  await page.getByLabel('Client key').fill(CLIENT_KEY);
  await page.keyboard.press('Enter');
  const chat = new Chat(page, url);
  await expect(chat.composer).toBeVisible();
  return chat;
}

test('an operator sees limits, spending and errors of all clients', async ({ another, page }) => {
  const chat = await enter(page, await another({ keyed: true, operator: true, limits: EVERYONE }));
  await chat.ask('What does it cost?');
  await chat.ask('[[status 500]]');
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const view = page.getByRole('region', { name: 'All clients' });
  const team = view.getByRole('row', { name: /^search/ });
  await expect(team).toContainText(/\$0\.0\d+/);
  await expect(team.getByRole('cell')).toHaveAttribute('title', /\d+ tokens in, \d+ out/);
  await expect(view.getByRole('row', { name: /^team/ })).toContainText('$');
  await expect(view.getByRole('columnheader', { name: 'Since start' })).toBeVisible();
  const error = view.locator('.st-recent li').first();
  await expect(error).toContainText('500 upstream error');
  await expect(error).toContainText('team');
  await expect(view.getByRole('meter', { name: 'budget per day' })).toBeVisible();
  await expect(view).toContainText('search-team');
  // It only observes.
  await expect(view).toContainText('counted only');
  // By itself.
  await chat.ask('[[status 400]]');
  await expect(error).toContainText('400', { timeout: 8000 });
  for (const [name, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    await view.scrollIntoViewIfNeeded();
    await inspect(page, `operator-${name}`);
  }
});

test('who is no operator is not shown it, and does not ask for it', async ({ another, page }) => {
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const chat = await enter(page, await another({ keyed: true }));
  await chat.ask('Anything else?');
  await page.getByRole('button', { name: 'Gateway status' }).click();
  await expect(page.getByRole('heading', { name: 'Providers' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'All clients' })).toHaveCount(0);
  expect(asked).not.toContain('/trunkline/operator');
});
