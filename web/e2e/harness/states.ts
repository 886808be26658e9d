import { expect, type Page } from '@playwright/test';

/** States of the page for axe and for screenshots. */
export interface State {
  name: string;
  /** Take a screenshot. */
  shot?: boolean;
  enter: (page: Page) => Promise<void>;
}

async function ask(page: Page, text: string): Promise<void> {
  const answers = page.locator('article.answer');
  const before = await answers.count();
  await page.locator('#composer').fill(text);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(answers).toHaveCount(before + 1);
  await expect(answers.last()).toHaveAttribute('aria-busy', 'false');
}

export const STATES: State[] = [
  {
    name: 'empty',
    shot: true,
    enter: (page) => expect(page.locator('.starts, .live-row').first()).toBeVisible(),
  },
  {
    name: 'chat',
    shot: true,
    async enter(page) {
      await ask(page, 'What would a small service need?');
      await expect(page.locator('.hl-keyword').first()).toBeVisible();
      await expect(page.locator('math').first()).toBeAttached();
      await page.locator('article.answer .md-chip button').click();
    },
  },
  {
    name: 'thinking',
    shot: true,
    async enter(page) {
      await ask(page, '[[reasoning]]');
      await page.locator('details.reasoning summary').click();
      await ask(page, '[[tools]]');
    },
  },
  {
    name: 'queue',
    shot: true,
    async enter(page) {
      await page.locator('#composer').fill('[[hold]] What takes so long?');
      await page.locator('.composer .send').click();
      await expect(page.locator('article.answer')).toContainText('word');
      for (const text of [
        'And then?',
        'A question with more words than a phone can show in a line',
      ]) {
        await page.locator('#composer').fill(text);
        await page.locator('.composer .send').click();
      }
      await expect(page.locator('.queue li')).toHaveCount(2);
    },
  },
  {
    name: 'error',
    shot: true,
    async enter(page) {
      await ask(page, 'Is anybody there?');
      await page.getByText('Details').click();
    },
  },
  {
    name: 'models',
    shot: true,
    async enter(page) {
      await page.locator('header .picker').click();
      await expect(page.getByRole('listbox')).toBeVisible();
    },
  },
  {
    name: 'compare',
    shot: true,
    async enter(page) {
      await page.getByRole('button', { name: 'Compare models' }).first().click();
      await page.locator('#composer').fill('How should a service fail?');
      await page.locator('.composer .send').click();
      const answers = page.locator('article.answer');
      await expect(answers).toHaveCount(2);
      for (const answer of await answers.all())
        await expect(answer).toHaveAttribute('aria-busy', 'false');
    },
  },
  {
    name: 'settings',
    shot: true,
    async enter(page) {
      await page.keyboard.press('Control+k');
      await expect(page.getByRole('dialog')).toBeVisible();
      await page.keyboard.type('settings');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
    },
  },
  {
    name: 'palette',
    shot: true,
    async enter(page) {
      await page.keyboard.press('Control+k');
      await expect(page.getByRole('dialog')).toBeVisible();
    },
  },
  {
    name: 'status',
    shot: true,
    async enter(page) {
      await ask(page, 'How do I stream an answer in Python?');
      await page.getByRole('button', { name: 'Gateway status' }).click();
      await expect(page.locator('.st-phase')).toContainText('Live');
      await expect(page.locator('.st-recent li').first()).toBeVisible();
      // A line needs two points.
      await expect(page.locator('.st-spark path[d*="L"]').first()).toBeAttached();
    },
  },
];

export const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const;
