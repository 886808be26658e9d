import { SIZES } from '../harness/states.ts';
import { expect, test } from '../harness/test.ts';
import { walk } from '../harness/walk.ts';

/** Names of the file with the texts of a language. */
const TEXTS = (language: string) => `**/assets/${language}-*.js*`;

test.describe("a browser's language", () => {
  test.use({ locale: 'de-AT' });

  test('is that of the page, for one request more and nothing that moves', async ({
    chat,
    page,
  }) => {
    const files: string[] = [];
    page.on('request', (request) => {
      if (/\/assets\//.test(request.url())) files.push(request.url());
    });
    await page.addInitScript(() => {
      const shown: string[] = [];
      Object.assign(window, { __shown: shown });
      new PerformanceObserver((list) =>
        shown.push(...list.getEntries().map(() => 'moved')),
      ).observe({
        type: 'layout-shift',
        buffered: true,
      });
      // Each text that the page ever shows in its field.
      new MutationObserver(() => {
        const field = document.querySelector<HTMLTextAreaElement>('#composer');
        if (field) shown.push(field.getAttribute('aria-label') ?? '');
      }).observe(document, { childList: true, subtree: true, attributes: true });
    });
    await chat.open();
    await expect(page.locator('.starts')).toBeVisible();
    await page.waitForLoadState('networkidle');
    await expect(page.locator('html')).toHaveAttribute('lang', 'de');
    const shown = await page.evaluate(() => (window as unknown as { __shown: string[] }).__shown);
    expect(new Set(shown)).toEqual(new Set(['Nachricht']));
    // A script, a style sheet, and the texts.
    expect(files.map((url) => url.replace(/.*\/|-.*(?=\.)/g, '')).sort()).toEqual([
      'de.js',
      'page.css',
      'page.js',
    ]);
  });

  test('may be one that cannot be loaded: the page is in English then', async ({ chat, page }) => {
    await page.route(TEXTS('de'), (route) => route.abort());
    await chat.open();
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
    await chat.ask('Are you there?');
    await page.unroute(TEXTS('de'));
    await page.reload();
    await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  });
});

test('a language is chosen while an answer streams, and kept', async ({ chat, page, upstream }) => {
  await chat.open();
  await chat.send('[[hold]] in two languages');
  await expect(chat.last).toContainText('word');
  await chat.composer.fill('A draft');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('Français');
  const dialog = page.getByRole('dialog', { name: 'Paramètres' });
  await expect(dialog.getByLabel('Langue')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(chat.last).toHaveAttribute('aria-busy', 'true');
  await expect(page.getByRole('button', { name: 'Envoyer après cette réponse' })).toBeVisible();
  await expect(chat.composer).toHaveValue('A draft');
  upstream.release();
  await chat.settled();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.last).toContainText('word');
  await page.reload();
  await expect(page.getByLabel('Message', { exact: true })).toHaveValue('A draft');
  await expect(page.locator('html')).toHaveAttribute('lang', 'fr');
  await page.goto(`${chat.url}/docs`);
  await expect(page.getByRole('navigation', { name: 'Points de terminaison' })).toBeVisible();
});

test('a language that cannot be loaded is not chosen', async ({ chat, page }) => {
  await chat.open();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.route(TEXTS('es'), (route) => route.abort());
  const field = page.getByRole('combobox', { name: 'Language' });
  await field.selectOption('Español');
  await expect(page.getByText('This could not be loaded')).toBeVisible();
  await expect(field).toHaveValue('');
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  await page.unroute(TEXTS('es'));
  await field.selectOption('Español');
  await expect(page.getByRole('dialog', { name: 'Configuración' })).toBeVisible();
});

// Those with the longest words on a phone; both directions of writing at both sizes.
for (const [locale, lang, size] of [
  ['ar-EG', 'ar', 'desktop'],
  ['ar-EG', 'ar', 'phone'],
  ['de-DE', 'de', 'phone'],
  ['es-ES', 'es', 'desktop'],
  ['fr-FR', 'fr', 'phone'],
  ['ja-JP', 'ja', 'phone'],
  ['zh-CN', 'zh-Hans', 'desktop'],
] as const) {
  test.describe(`${lang}, ${size}`, () => {
    test.use({
      locale,
      viewport: SIZES[size],
      hasTouch: size === 'phone',
      reducedMotion: 'reduce',
    });

    test('has no accessibility violations, and nothing moves or is too wide', async ({
      chat,
      page,
    }) => {
      await walk(chat, page, (state) => `${lang}-${state}-${size}`);
      await expect(page.locator('html')).toHaveAttribute('lang', lang);
    });
  });
}
