import type { Page } from '@playwright/test';
import { inspect } from '../harness/inspect.ts';
import { SIZES } from '../harness/states.ts';
import { Chat, CLIENT_KEY, expect, test } from '../harness/test.ts';

const LIMITS = `
[limits.each-key]
per = ["key"]
requests = ["2/minute"]
tokens = ["1000000/day"]
`;

/** A monthly budget, a rate that is nearly used, and a block. */
const REPORT = {
  limits: [
    {
      rule: 'web-team',
      subject: 'team web',
      amounts: [
        amount('budget', 'month', '50', '41.37', '2026-12-01T00:00:00Z'),
        amount('tokens', 'minute', '200000', '198500'),
      ],
    },
    {
      rule: 'expensive',
      subject: 'key alice',
      model: 'smart',
      amounts: [amount('requests', 'day', '100', '100', '2026-12-01T00:00:00Z')],
    },
  ],
};

function amount(of: string, period: string, limit: string, used: string, resets?: string) {
  const remaining = String(Number(limit) - Number(used));
  return { of, period, limit, used, remaining, ...(resets && { resets_at: resets }) };
}

interface Refusal {
  status: number;
  code: string;
  headers?: Record<string, string>;
  limit?: Record<string, string>;
}

const RATE: Refusal = {
  status: 429,
  code: 'rate_limit_exceeded',
  headers: { 'retry-after': '3', 'retry-after-ms': '2500' },
  limit: {
    rule: 'web-team',
    subject: 'team web',
    of: 'tokens',
    period: 'minute',
    limit: '200000',
    used: '198500',
    requested: '4200',
  },
};

const SPENT: Refusal = {
  status: 429,
  code: 'insufficient_quota',
  limit: {
    rule: 'web-team',
    subject: 'team web',
    of: 'budget',
    period: 'month',
    limit: '50',
    used: '49.99',
    requested: '0.04',
    resets_at: '2099-12-01T00:00:00Z',
  },
};

async function refuse(page: Page, refusal: () => Refusal | undefined): Promise<void> {
  await page.route('**/v1/chat/completions', (route) => {
    const now = refusal();
    if (!now) return route.continue();
    const { status, code, headers, limit } = now;
    const error = { message: 'Refused in words.', type: 'tokens', param: null, code, limit };
    return route.fulfill({ status, ...(headers && { headers }), json: { error } });
  });
}

async function report(page: Page, body: () => object): Promise<() => number> {
  let asked = 0;
  await page.route('**/trunkline/limits', (route) => {
    asked++;
    return route.fulfill({ json: body() });
  });
  return () => asked;
}

test("the panel shows the caller's limits, and the card of one that refuses", async ({
  page,
  another,
}) => {
  const url = await another({ keyed: true, limits: LIMITS });
  await page.goto(url);
  await page.getByLabel('Client key').fill(CLIENT_KEY);
  await page.getByRole('button', { name: 'Use key' }).click();
  const chat = new Chat(page, url);
  await page.getByRole('button', { name: 'Gateway status' }).click();
  const own = page.getByRole('region', { name: 'Your limits' });
  await expect(own).toContainText('each-key');
  await expect(own).toContainText('0 of 2');
  await chat.ask('One');
  await expect(own).toContainText('1 of 2');
  await chat.ask('Two');
  await chat.ask('Three');
  const card = chat.last.locator('.card.error');
  await expect(card).toHaveAttribute('data-kind', 'limit');
  await expect(card).toContainText('each-key: 2 requests per minute');
  await expect(card.getByRole('button', { name: /Retry in \d+ s/ })).toBeDisabled();
});

test('without limits the panel shows none', async ({ chat, page }) => {
  await report(page, () => ({ limits: [] }));
  await chat.open();
  const asked = page.waitForResponse('**/trunkline/limits');
  await page.getByRole('button', { name: 'Gateway status' }).click();
  await asked;
  await expect(page.locator('.st-phase')).toContainText('Live');
  await expect(page.getByRole('region', { name: 'Your limits' })).toHaveCount(0);
});

test('limits are read when the panel opens and after a response, not by a timer', async ({
  chat,
  page,
}) => {
  const asked = await report(page, () => REPORT);
  await chat.open();
  await chat.ask('Nobody looks');
  expect(asked()).toBe(0);
  await page.clock.install();
  await page.getByRole('button', { name: 'Gateway status' }).click();
  await expect(page.getByRole('region', { name: 'Your limits' })).toContainText('$41.37 of $50.00');
  expect(asked()).toBe(1);
  await page.clock.runFor(120_000);
  expect(asked()).toBe(1);
  await chat.send('Somebody looks');
  await expect
    .poll(async () => {
      await page.clock.runFor(200);
      return asked();
    })
    .toBe(2);
});

test('a rate counts down, and its retry works when it is over', async ({ chat, page }) => {
  await report(page, () => ({ limits: [] }));
  let refusal: Refusal | undefined = RATE;
  await refuse(page, () => refusal);
  await chat.open();
  await chat.ask('Too fast');
  const card = chat.last.locator('.card.error');
  await expect(card).toContainText('web-team: 200,000 tokens per minute, for team web');
  await expect(card).toContainText('198,500 used, about 4,200 needed');
  await expect(card.locator('.error-message')).toHaveCount(0);
  await expect(card.getByRole('button', { name: /Retry in \d s/ })).toBeDisabled();
  refusal = undefined;
  const retry = card.getByRole('button', { name: 'Retry', exact: true });
  await expect(retry).toBeEnabled();
  await retry.click();
  await chat.settled();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.last).toContainText('Echo of Too fast');
});

test('a spent budget says when to come back, and notices when it is raised', async ({
  chat,
  page,
}) => {
  let left = '0.01';
  await report(page, () => ({
    limits: [
      {
        rule: 'web-team',
        subject: 'team web',
        amounts: [{ ...SPENT.limit, limit: '60', used: '49.99', remaining: left }],
      },
    ],
  }));
  await refuse(page, () => SPENT);
  await chat.open();
  await chat.ask('Too dear');
  const card = chat.last.locator('.card.error');
  await expect(card).toHaveAttribute('data-kind', 'quota');
  await expect(card.getByRole('heading')).toHaveText('Your budget is used up');
  await expect(card).toContainText('web-team: $50.00 per month');
  await expect(card).toContainText(/Come back on .*2099/);
  await expect(card.getByRole('button', { name: 'Retry later' })).toBeDisabled();
  left = '10.01';
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await expect(card.getByRole('button', { name: 'Retry', exact: true })).toBeEnabled();
  await expect(card).toContainText('There is room again.');
});

test('a block and a request that never fits have cards of their own', async ({ chat, page }) => {
  await report(page, () => ({ limits: [] }));
  let refusal: Refusal = { ...RATE, status: 403, code: 'blocked', headers: {} };
  await refuse(page, () => refusal);
  await chat.open();
  await chat.ask('Blocked');
  const card = chat.last.locator('.card.error');
  await expect(card).toHaveAttribute('data-kind', 'blocked');
  await expect(card).toContainText('ask the gateway');
  await expect(card.getByRole('button', { name: 'Retry' })).toBeDisabled();
  refusal = { ...RATE, status: 400, code: 'request_exceeds_limit', headers: {} };
  await chat.ask('Too large');
  await expect(card).toHaveAttribute('data-kind', 'exceeds');
  await expect(card.getByRole('button', { name: 'New chat' })).toBeVisible();
  await expect(card.getByRole('button', { name: 'Retry' })).toHaveCount(0);
  refusal = { status: 403, code: 'unmetered_endpoint' };
  await chat.ask('Unmetered');
  await expect(card).toHaveAttribute('data-kind', 'unmetered');
  await expect(card).toContainText('Refused in words.');
});

for (const [size, viewport] of Object.entries(SIZES)) {
  test.describe(size, () => {
    test.use({ viewport, hasTouch: size === 'phone', reducedMotion: 'reduce' });

    test('limits have no accessibility violations', async ({ chat, page }) => {
      await report(page, () => REPORT);
      await refuse(page, () => ({ ...RATE, headers: { 'retry-after': '40' } }));
      await chat.open();
      await chat.ask('Is there room?');
      await expect(chat.last.getByRole('button', { name: /Retry in/ })).toBeVisible();
      await inspect(page, `limit-card-${size}`);
      await page.getByRole('button', { name: 'Gateway status' }).click();
      await expect(page.getByRole('region', { name: 'Your limits' })).toBeVisible();
      await inspect(page, `limits-${size}`);
    });
  });
}

test.describe('a narrow phone', () => {
  test.use({ viewport: { width: 320, height: 640 }, hasTouch: true });

  test('names of any length break', async ({ chat, page }) => {
    const rule = 'r'.repeat(180);
    const named = { rule, subject: `key ${'k'.repeat(180)}` };
    await report(page, () => ({
      limits: [
        { ...named, model: 'm'.repeat(180), amounts: [{ ...RATE.limit, remaining: '1500' }] },
      ],
    }));
    await refuse(page, () => ({ ...RATE, limit: { ...RATE.limit, ...named } }));
    await chat.open();
    await chat.ask('Is there room?');
    const over = (parts: Element[]) =>
      parts.map((part) => part.scrollWidth - part.clientWidth).filter((pixels) => pixels > 0);
    const card = chat.last.locator('.card.error');
    await expect(card).toContainText(rule);
    expect(await card.locator('p').evaluateAll(over)).toEqual([]);
    await page.getByRole('button', { name: 'Gateway status' }).click();
    const limits = page.getByRole('region', { name: 'Your limits' });
    await expect(limits).toContainText(rule);
    expect(await limits.locator('ul, li, .limit-line').evaluateAll(over)).toEqual([]);
    await expect(limits.getByText('198,500 of 200,000')).toBeInViewport({ ratio: 1 });
  });
});
