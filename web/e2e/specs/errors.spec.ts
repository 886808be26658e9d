import { expect, test } from '../harness/test.ts';

interface Case {
  status: number;
  code?: string;
  headers?: Record<string, string>;
  kind: string;
  title: RegExp;
  action: RegExp | null;
}

const CASES: Case[] = [
  { status: 400, kind: 'request', title: /was rejected/, action: /Retry/ },
  { status: 401, code: 'invalid_api_key', kind: 'key', title: /valid key/, action: /Enter a key/ },
  { status: 402, kind: 'payment', title: /no credit/, action: /another model/ },
  { status: 403, kind: 'forbidden', title: /not allowed/, action: /another model/ },
  {
    status: 404,
    code: 'model_not_found',
    kind: 'model',
    title: /Unknown model/,
    action: /another model/,
  },
  {
    status: 413,
    code: 'request_too_large',
    kind: 'too-large',
    title: /too large/,
    action: /New chat/,
  },
  {
    status: 429,
    headers: { 'retry-after': '120' },
    kind: 'rate',
    title: /Too many requests/,
    action: /Retry now \(\d+ s\)/,
  },
  { status: 500, kind: 'server', title: /provider failed/, action: /Retry/ },
  {
    status: 502,
    code: 'upstream_connect_failed',
    kind: 'upstream',
    title: /cannot be reached/,
    action: /Retry/,
  },
  {
    status: 502,
    code: 'upstream_auth_failed',
    kind: 'upstream-key',
    title: /rejected the gateway's key/,
    action: /another model/,
  },
  { status: 503, code: 'overloaded', kind: 'overloaded', title: /No capacity/, action: /Retry/ },
  {
    status: 503,
    code: 'upstream_not_configured',
    kind: 'setup',
    title: /not set up/,
    action: /another model/,
  },
  { status: 504, code: 'upstream_timeout', kind: 'timeout', title: /too long/, action: /Retry/ },
];

// One page load for all: only the card differs.
test('every error has a card of its own', async ({ chat, page }) => {
  let testCase: Case | undefined;
  await chat.open();
  await page.route('**/v1/chat/completions', (route) =>
    route.fulfill({
      status: testCase?.status ?? 500,
      headers: {
        'x-trunkline-request-id': 'req-1',
        'x-trunkline-provider': 'alpha',
        ...testCase?.headers,
      },
      json: {
        error: {
          message: 'Said so. Set GROQ_API_KEY.',
          type: 'scripted',
          param: null,
          code: testCase?.code ?? null,
        },
      },
    }),
  );
  for (testCase of CASES) {
    const { status, code = '', kind, title, action } = testCase;
    await test.step(`${status} ${code}`, async () => {
      await page
        .getByRole('button', { name: /^New chat/ })
        .first()
        .click();
      await expect(chat.answers).toHaveCount(0);
      await chat.ask(`Hello ${kind}`);
      const card = chat.last.locator('.card.error');
      await expect(card).toHaveAttribute('data-kind', kind);
      await expect(card.getByRole('heading')).toHaveText(title);
      await expect(card).toContainText('Said so.');
      if (action) await expect(card.getByRole('button', { name: action }).first()).toBeVisible();
      await card.getByText('Details').click();
      await expect(card).toContainText('req-1');
      await expect(page.locator('article.question')).toContainText(`Hello ${kind}`);
    });
  }
});

test('429 counts down, and offers another model', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[status 429 60]]');
  const card = chat.last.locator('.card.error');
  const retry = card.getByRole('button', { name: /Retry now \(\d+ s\)/ });
  const left = async () => Number(/\d+/.exec(await retry.innerText())?.[0]);
  const first = await left();
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThanOrEqual(60);
  await expect.poll(left).toBeLessThan(first);
  await card.getByRole('button', { name: /Ask .* instead/ }).click();
  await expect(chat.last.locator('.answer-model')).not.toContainText('fast');
});

test('a cut answer keeps its text across a reload, and continues', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('[[cut]]');
  await expect(chat.last).toContainText('This much arrived before the');
  const card = chat.last.locator('.card.error');
  await expect(card).toHaveAttribute('data-kind', /cut|in-stream/);
  await page.reload();
  await expect(chat.last).toContainText('This much arrived before the');
  await expect(card.getByRole('button', { name: 'Continue' })).toBeVisible();
  await card.getByRole('button', { name: 'Continue' }).click();
  await expect(chat.last).toHaveAttribute('aria-busy', 'false');
});

test('an error within a stream keeps the text before it', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[error-in-stream]]');
  await expect(chat.last).toContainText('Half an answer');
  const card = chat.last.locator('.card.error');
  await expect(card).toHaveAttribute('data-kind', 'in-stream');
  await expect(card).toContainText('The engine caught fire.');
});

test('a lost connection is distinguished from a complete stream', async ({ chat, page }) => {
  await chat.open();
  await page.route('**/v1/chat/completions', (route) =>
    route.fulfill({
      headers: { 'content-type': 'text/event-stream' },
      body: 'data: {"choices":[{"index":0,"delta":{"content":"Half a sen"}}]}\n\n',
    }),
  );
  await chat.ask('Hello');
  await expect(chat.last).toContainText('Half a sen');
  await expect(chat.last.locator('.card.error')).toHaveAttribute('data-kind', 'cut');
  await expect(chat.last.locator('.card.error')).toContainText('Connection lost');
});

test('an empty answer is shown as empty', async ({ chat }) => {
  await chat.open();
  await chat.ask('[[empty]]');
  await expect(chat.last.locator('.card.error')).toHaveAttribute('data-kind', 'empty');
});

test('offline is shown in place of the answer', async ({ chat, context }) => {
  await chat.open();
  await context.setOffline(true);
  await chat.ask('Hello');
  await expect(chat.last.locator('.card.error')).toHaveAttribute('data-kind', 'offline');
  await context.setOffline(false);
  await chat.last.getByRole('button', { name: 'Retry', exact: true }).click();
  await chat.settled();
  await expect(chat.last.locator('.card.error')).toHaveCount(0);
});

test('a part that cannot be loaded is said so, leaves the page alive, and loads later', async ({
  chat,
  page,
}) => {
  await chat.open();
  await page.route(/\/assets\/Settings-.*\.js/, (route) => route.abort());
  const open = () => page.getByRole('button', { name: 'Settings' }).first().click();
  await open();
  await expect(page.getByRole('region', { name: 'Notices' })).toContainText('could not be loaded');
  await chat.ask('Still here?');
  await expect(chat.last).toContainText('Echo of Still here?');
  await page.unrouteAll();
  await open();
  await expect(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
});
