import type { Locator, Page } from '@playwright/test';
import { inspect } from '../harness/inspect.ts';
import { CLIENT_KEY, expect, test } from '../harness/test.ts';

/** What Safari sends for the Enter that ends a composition, or for another key of it. */
async function composed(field: Locator, key = 'Enter', isComposing = false): Promise<void> {
  await field.evaluate(
    (element, init) => {
      element.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true }));
      element.dispatchEvent(
        new KeyboardEvent('keydown', { ...init, bubbles: true, cancelable: true }),
      );
    },
    { key, keyCode: 229, isComposing },
  );
}

test('wp01: a composition sends, picks, renames, saves and closes nothing', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await chat.model('fast');
  await chat.ask('Begin');
  const sent = upstream.requests.length;

  await chat.composer.fill('にほん');
  await composed(chat.composer);
  await composed(chat.composer, 'Enter', true);
  await expect(chat.composer).toHaveValue('にほん');

  await page.locator('article.question').hover();
  await page.getByRole('button', { name: 'Edit message' }).click();
  const editor = page.getByRole('textbox', { name: 'Edit message' });
  await editor.fill('ご');
  await composed(editor);
  await composed(editor, 'Escape');
  await expect(editor).toHaveValue('ご');
  await editor.press('Escape');

  const row = page.getByRole('link', { name: /Begin/ });
  await row.dblclick();
  const name = page.getByRole('textbox', { name: 'New name' });
  await name.fill('名前');
  await composed(name);
  await composed(name, 'Escape');
  await expect(name).toHaveValue('名前');
  await name.press('Enter');
  await expect(page.getByRole('link', { name: '名前' })).toBeVisible();

  await page.keyboard.press('Control+k');
  const palette = page.getByRole('combobox', { name: /Search conversations/ });
  await palette.fill('settings');
  await composed(palette);
  await composed(palette, 'ArrowDown');
  await expect(page.getByRole('option').first()).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('dialog', { name: 'Settings' })).toHaveCount(0);
  await page.keyboard.press('Escape');

  await page.locator('header .picker').click();
  const models = page.getByRole('combobox', { name: 'Search models' });
  await models.fill('smart');
  await composed(models);
  await expect(models).toBeVisible();
  await expect(page.locator('header .picker-name')).toHaveText('fast');
  await page.keyboard.press('Escape');

  await chat.last.hover();
  await chat.last.getByRole('button', { name: 'Answer again with another model' }).click();
  await composed(models);
  await expect(models).toBeVisible();
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: /Instructions and parameters/ }).click();
  await page.getByRole('button', { name: 'Save as preset' }).click();
  const preset = page.getByRole('textbox', { name: 'Name of the preset' });
  await preset.fill('設');
  await composed(preset);
  await expect(preset).toBeVisible();
  await preset.press('Enter');
  await expect(preset).toHaveCount(0);
  await page.keyboard.press('Escape');

  expect(upstream.requests.length).toBe(sent);
  // A plain Enter works after all of it.
  await chat.composer.press('Enter');
  await expect(chat.answers).toHaveCount(2);
});

test('wp01: Escape that takes a composition back stops no answer', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await chat.send('[[hold]] go on');
  await expect(chat.last).toContainText('word');
  await composed(chat.composer, 'Escape');
  await composed(page.locator('body'), 'Escape');
  await expect(chat.last).toHaveAttribute('aria-busy', 'true');
  upstream.release();
  await chat.settled();
  await expect(chat.last).toContainText('and the end.');
});

test('wp01: neither the comparison nor the key card sends', async ({ chat, page, another }) => {
  await chat.open();
  await page.getByRole('button', { name: 'Compare models' }).first().click();
  await chat.composer.fill('比');
  await composed(chat.composer);
  await expect(chat.composer).toHaveValue('比');
  await expect(chat.answers).toHaveCount(0);
  await page.goto(await another({ keyed: true }));
  const key = page.getByLabel('Client key');
  await key.fill(CLIENT_KEY);
  await composed(key);
  await expect(key).toHaveValue(CLIENT_KEY);
});

const ARABIC = 'شغّل الأمر `./run.sh -v` ثم انتظر.';
const HEBREW_LIST = '1. ראשון\n2. שני\n   - פנימי';
const MIXED = 'Docker هو منصة.';
const TABLE = '| الاسم | السعر |\n| --- | --- |\n| قلم | 5 |';
const CODE = '```sh\necho "نص"\n```';

/** Where the text of an element begins: the side of its first line that is filled. */
async function side(element: Locator): Promise<'left' | 'right'> {
  return element.evaluate((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const text = [...range.getClientRects()].filter((box) => box.width > 0);
    const box = node.getBoundingClientRect();
    const left = Math.min(...text.map((rect) => rect.left)) - box.left;
    const right = box.right - Math.max(...text.map((rect) => rect.right));
    return left <= right ? 'left' : 'right';
  });
}

const direction = (element: Locator) =>
  element.evaluate((node) => getComputedStyle(node).direction);

for (const scheme of ['desktop', 'phone'] as const) {
  const viewport = scheme === 'phone' ? { width: 390, height: 844 } : { width: 1280, height: 800 };
  test.describe(scheme, () => {
    test.use({ viewport, hasTouch: scheme === 'phone', reducedMotion: 'reduce' });

    test('wp05: each block has the direction of its own text', async ({ chat, page }) => {
      await chat.open();
      const answer = [ARABIC, HEBREW_LIST, MIXED, 'English stays.', CODE, TABLE].join('\n\n');
      await chat.ask(`[[raw]]\n${answer}`);
      const prose = chat.last.locator('.prose');
      const paragraph = (text: string) => prose.locator('p', { hasText: text });
      expect(await direction(paragraph('شغّل'))).toBe('rtl');
      expect(await side(paragraph('شغّل'))).toBe('right');
      expect(await direction(paragraph('شغّل').locator('code'))).toBe('ltr');
      expect(await direction(paragraph('Docker'))).toBe('ltr');
      expect(await side(paragraph('English stays.'))).toBe('left');
      expect(await direction(prose.locator('ol'))).toBe('rtl');
      expect(await direction(prose.locator('pre'))).toBe('ltr');
      expect(await direction(prose.locator('table'))).toBe('rtl');
      // The first column stands at the right.
      const cells = await prose.locator('th').all();
      const boxes = await Promise.all(cells.map((cell) => cell.boundingBox()));
      expect(boxes[0]?.x).toBeGreaterThan(boxes[1]?.x ?? 0);
      expect(await direction(page.locator('.app'))).toBe('ltr');
      await page.locator('.thread').evaluate((element) => element.scrollTo(0, 1e6));
      await inspect(page, `scripts-${scheme}`);
    });

    test('wp05: questions, titles and fields have it too', async ({ chat, page }) => {
      await chat.open();
      await chat.ask('سؤال باللغة العربية.\nAnd an English line.');
      await expect(page.locator('.question-text > div')).toHaveCSS('direction', 'rtl');
      await chat.composer.fill('שאלה');
      await expect(chat.composer).toHaveCSS('direction', 'rtl');
      await chat.composer.fill('question');
      await expect(chat.composer).toHaveCSS('direction', 'ltr');
      if (scheme === 'desktop')
        await expect(page.locator('.list-title').first()).toHaveCSS('direction', 'rtl');
      await inspect(page, `scripts-question-${scheme}`);
    });
  });
}

/** Translates as Chromium does: texts become elements, new ones too, what is marked stays. */
async function translate(page: Page): Promise<void> {
  await page.evaluate(() => {
    const mayTranslate = (node: Node) => {
      const element = node.parentElement;
      const marked = element?.closest('[translate]')?.getAttribute('translate') === 'no';
      return element && !marked && !element.closest('font, textarea, script, style, title');
    };
    const texts = (root: Node) => {
      const found: Text[] = [];
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) found.push(node as Text);
      return root instanceof Text ? [root] : found;
    };
    const replace = (root: Node) => {
      for (const text of texts(root)) {
        if (!text.data.trim() || !mayTranslate(text)) continue;
        const outer = document.createElement('font');
        outer.appendChild(document.createElement('font')).textContent = `«${text.data}»`;
        text.replaceWith(outer);
      }
    };
    document.documentElement.className = 'translated-ltr';
    document.documentElement.lang = 'de';
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) replace(node);
    }).observe(document.body, { childList: true, subtree: true });
    replace(document.body);
  });
}

test('a translated page streams without losing a word, and translates at the end', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await chat.ask('Before');
  await translate(page);
  await chat.send('[[hold]] now');
  const prose = chat.last.locator('.prose');
  await expect(prose).toHaveText('word word');
  await expect(prose.locator('font')).toHaveCount(0);
  upstream.release();
  await chat.settled();
  await expect(prose).toHaveText('«word word and the end.»');
  const code = 'First `a.b()` words.\n\n```js\nlet x = 1;\n```';
  await chat.ask(`[[raw]]\n${code}`);
  await expect(prose.locator('p')).toContainText('a.b()');
  await expect(prose.locator('code font')).toHaveCount(0);
  await expect(prose.locator('pre')).toHaveText('let x = 1;');
  // The page goes on working: texts that change are not stuck.
  await page.getByRole('button', { name: 'Gateway status' }).click();
  await expect(page.locator('.st-phase')).toHaveText('Live');
  await chat.ask('[[status 429 60]]');
  await expect(chat.last.getByRole('button', { name: /Retry now \(5\d s\)/ })).toBeVisible();
});
