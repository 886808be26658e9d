import type { Page } from '@playwright/test';
import { type Chat, expect, test } from '../harness/test.ts';
import type { Upstream } from '../harness/upstream.ts';

/** Requests end with what they belong to, and what waits for them is kept. */

const waiting = (page: Page) => page.getByRole('list', { name: 'Waiting questions' });

async function hold(chat: Chat, text: string): Promise<string> {
  const question = `[[hold]] ${text}`;
  await chat.send(question);
  await expect(chat.last).toContainText('word');
  return question;
}

async function queue(chat: Chat, ...texts: string[]): Promise<void> {
  for (const text of texts) {
    await chat.composer.fill(text);
    await chat.composer.press('Enter');
    await expect(chat.composer).toHaveValue('');
  }
  await expect(waiting(chat.page).getByRole('listitem')).toHaveCount(texts.length);
}

const closes = (upstream: Upstream, question: string) =>
  expect.poll(() => upstream.closed).toContain(question);

test('deleting the conversation ends its request', async ({ chat, page, upstream }) => {
  await chat.open();
  const question = await hold(chat, 'delete the conversation');
  await page.locator('header').getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('menuitem', { name: 'Delete conversation' }).click();
  await closes(upstream, question);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('link', { name: /delete the conversation/ }).click();
  await expect(chat.last).toContainText('word word');
  await expect(chat.last).toHaveAttribute('aria-busy', 'false');
});

test('deleting the conversation in another tab ends its request', async ({
  chat,
  page,
  context,
  upstream,
}) => {
  await chat.open();
  const question = await hold(chat, 'delete it elsewhere');
  const other = await context.newPage();
  await other.goto(page.url());
  await other.locator('header').getByRole('button', { name: 'Menu' }).click();
  await other.getByRole('menuitem', { name: 'Delete conversation' }).click();
  await closes(upstream, question);
});

test('deleting the question ends its request, and undo keeps what was received', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  const question = await hold(chat, 'delete the question');
  await page.locator('article.question').hover();
  await page.getByRole('button', { name: 'Delete message' }).click();
  await closes(upstream, question);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(chat.last).toContainText('word word');
  await expect(chat.last).toHaveAttribute('aria-busy', 'false');
  await expect(chat.last.getByRole('button', { name: 'Continue' })).toBeVisible();
});

test('editing the question ends its request', async ({ chat, page, upstream }) => {
  await chat.open();
  const question = await hold(chat, 'edit the question');
  await page.locator('article.question').hover();
  await page.getByRole('button', { name: 'Edit message' }).click();
  await page.getByRole('textbox', { name: 'Edit message' }).fill('Other words');
  await page.getByRole('textbox', { name: 'Edit message' }).press('Enter');
  await closes(upstream, question);
  await chat.settled();
  await expect(chat.last).toContainText('Echo of Other words');
});

test('answering an earlier question again ends the later request', async ({ chat, upstream }) => {
  await chat.open();
  await chat.ask('Earlier');
  const question = await hold(chat, 'later');
  await chat.answers.first().hover();
  await chat.answers.first().getByRole('button', { name: 'Answer again', exact: true }).click();
  await closes(upstream, question);
});

test('leaving the page ends the request, sends nothing, and keeps all of it', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  const question = await hold(chat, 'leave the page');
  await queue(chat, 'Second', 'Third');
  await chat.composer.fill('A draft');
  const url = page.url();
  const sent = upstream.requests.length;
  await page.goto('about:blank');
  await closes(upstream, question);
  await page.goto(url);
  await expect(chat.last).toContainText('word word');
  await expect(chat.last.locator('.card.error')).toContainText('The page was closed');
  await expect(waiting(page).getByRole('listitem')).toHaveText([/Second/, /Third/]);
  await expect(chat.composer).toHaveValue('A draft');
  expect(upstream.requests.length).toBe(sent);
  await waiting(page).getByRole('button', { name: 'Send now' }).click();
  await expect(chat.last).toContainText('Echo of Third');
  await expect(chat.answers).toHaveCount(3);
  await expect(waiting(page)).toHaveCount(0);
});

test('a tab that crashed comes back with all of it', async ({ chat, page, context }) => {
  await chat.open();
  await hold(chat, 'crash');
  await queue(chat, 'After the crash');
  // The text is stored by a timer.
  await expect
    .poll(() => page.evaluate(() => Object.values(localStorage).join()))
    .toContain('word word');
  const url = page.url();
  const browser = await context.newCDPSession(page);
  // It never responds: the page is gone.
  void browser.send('Page.crash').catch(() => {});
  await page.waitForEvent('crash');
  const again = await context.newPage();
  await again.goto(url);
  await expect(waiting(again).getByRole('listitem')).toHaveText([/After the crash/]);
  const answer = again.locator('article.answer');
  await expect(answer).toContainText('word word');
  await expect(answer.locator('.card.error')).toContainText('The page was closed');
});

/** As browsers do after five minutes: hidden, with timers that no longer run. */
async function hide(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    // The timers of a run that has begun.
    for (let id = setTimeout(() => {}) as unknown as number; id > 0; id--) clearInterval(id);
  });
}

test('an answer in a tab that is hidden for minutes does not count as lost', async ({
  chat,
  page,
  context,
  upstream,
}) => {
  await chat.open();
  await hold(chat, 'hidden for long');
  await hide(page);
  const other = await context.newPage();
  await other.clock.install();
  await other.goto(page.url());
  const answer = other.locator('article.answer');
  await expect(answer).toContainText('word word');
  await other.clock.runFor(30_000);
  await expect(answer).toHaveAttribute('aria-busy', 'true');
  await expect(answer.locator('.card.error')).toHaveCount(0);
  // Nothing was heard of it for longer than a hidden tab is ever silent.
  await other.clock.runFor(90_000);
  await expect(answer.locator('.card.error')).toContainText('The page was closed');
  // It was there after all.
  upstream.release();
  await expect(answer).toContainText('and the end.');
  await expect(answer).toHaveAttribute('aria-busy', 'false');
  await expect(answer.locator('.card.error')).toHaveCount(0);
  await expect(chat.last).toContainText('and the end.');
  await expect(chat.last.locator('.card.error')).toHaveCount(0);
});

test('questions wait in order, and only for an answer that ends well', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await hold(chat, 'first');
  await queue(chat, 'Second', '[[status 500]]', 'Fourth');
  upstream.release();
  // The third fails, so that the fourth goes on waiting.
  await expect(chat.answers).toHaveCount(3);
  await expect(chat.last.locator('.card.error')).toBeVisible();
  await expect(chat.answers.nth(1)).toContainText('Echo of Second');
  await expect(waiting(page).getByRole('listitem')).toHaveText([/Fourth/]);
  await expect(chat.answers).toHaveCount(3);
});

test('stopping an answer sends nothing that waits', async ({ chat, page, upstream }) => {
  await chat.open();
  const question = await hold(chat, 'stop me');
  await queue(chat, 'Wait for it');
  const sent = upstream.requests.length;
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await closes(upstream, question);
  await chat.settled();
  await expect(waiting(page).getByRole('listitem')).toHaveText([/Wait for it/]);
  expect(upstream.requests.length).toBe(sent);
});

test('a waiting question is edited and removed, and a draft takes its turn', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await hold(chat, 'busy');
  await queue(chat, 'One', 'Two');
  await chat.composer.fill('Draft');
  await page.getByRole('button', { name: 'Edit waiting question 1' }).click();
  await expect(chat.composer).toHaveValue('One');
  await expect(chat.composer).toBeFocused();
  await expect(waiting(page).getByRole('listitem')).toHaveText([/Draft/, /Two/]);
  await page.getByRole('button', { name: 'Remove waiting question 2' }).focus();
  await page.keyboard.press('Enter');
  await expect(chat.composer).toBeFocused();
  await expect(waiting(page).getByRole('listitem')).toHaveText([/Draft/]);
  upstream.release();
  await expect(chat.last).toContainText('Echo of Draft');
  await expect(chat.composer).toHaveValue('One');
});

test('Escape that ends an edit, a search or the drawer stops no answer', async ({ chat, page }) => {
  await chat.open();
  await hold(chat, 'go on');
  await page.locator('article.question').hover();
  await page.getByRole('button', { name: 'Edit message' }).click();
  await page.getByRole('textbox', { name: 'Edit message' }).press('Escape');
  await expect(page.getByRole('button', { name: 'Edit message' })).toBeFocused();
  await page.getByRole('searchbox').press('Escape');
  await page.setViewportSize({ width: 800, height: 700 });
  await page.getByRole('button', { name: 'Show conversations' }).click();
  await expect(page.getByRole('button', { name: 'Hide conversations' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Show conversations' })).toBeFocused();
  await expect(chat.last).toHaveAttribute('aria-busy', 'true');
  await chat.composer.press('Escape');
  await chat.settled();
  await expect(chat.last).toContainText('stopped');
});
