import type { Page } from '@playwright/test';
import { inspect } from '../harness/inspect.ts';
import { expect, test } from '../harness/test.ts';

/** What people know from other chat pages. */

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** All that the page keeps: localStorage, sessionStorage and the keys of IndexedDB. */
function kept(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const request = indexedDB.open('trunkline', 1);
    const db = await new Promise<IDBDatabase | null>((done) => {
      request.onsuccess = () => done(request.result);
      request.onupgradeneeded = () => request.transaction?.abort();
      request.onerror = () => done(null);
    });
    const keys: string[] = [];
    for (const store of db?.objectStoreNames ?? []) {
      const all = db?.transaction(store).objectStore(store).getAllKeys();
      await new Promise((done) => {
        if (all) all.onsuccess = done;
      });
      if (all && all.result.length > 0) keys.push(`${store}:${all.result.join()}`);
    }
    db?.close();
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, keys]);
  });
}

test('a temporary chat is kept nowhere', async ({ chat, page, upstream }) => {
  await chat.open();
  await page.getByRole('button', { name: 'Temporary chat' }).click();
  await expect(page.getByText('This chat will be kept nowhere')).toBeVisible();
  await inspect(page, 'temporary-desktop');
  // Typed before it was said that it is to be kept nowhere.
  await page.getByRole('button', { name: 'Temporary chat' }).click();
  await chat.composer.fill('secret before');
  await expect.poll(() => kept(page)).toContain('secret before');
  await page.getByRole('button', { name: 'Temporary chat' }).click();
  await expect.poll(() => kept(page)).not.toContain('secret before');
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'secret.png', mimeType: 'image/png', buffer: PIXEL });
  await expect(page.getByRole('button', { name: /Remove secret.png/ })).toBeVisible();
  await chat.ask('A secret question');
  await expect(chat.last).toContainText('Echo of A secret question');
  expect(JSON.stringify(upstream.requests.at(-1))).toContain('data:image/png');
  await expect(page.locator('article.question img')).toBeVisible();
  await expect(page.locator('header')).toContainText('Temporary');
  await chat.ask('A secret again');
  await chat.send('[[hold]] secret');
  await expect(chat.last).toContainText('word');
  await chat.composer.fill('waiting secret');
  await chat.composer.press('Enter');
  await chat.composer.fill('secret draft');
  // Drafts are written a little later.
  await page.evaluate(() => dispatchEvent(new Event('pagehide')));
  await expect(page.locator('.list-row')).toHaveCount(0);
  expect(await kept(page)).not.toMatch(/secret|word|images:/);
  await page.reload();
  await expect(page.getByText('a temporary one, which was kept nowhere')).toBeVisible();
  // The next chat is an ordinary one.
  await page.getByRole('button', { name: 'New chat', exact: true }).last().click();
  await chat.ask('Ordinary');
  await expect(page.locator('.list-row')).toHaveCount(1);
  await expect.poll(() => kept(page)).toContain('Ordinary');
});

test('an image that was attached before the switch is kept with an ordinary chat', async ({
  chat,
  page,
}) => {
  await chat.open();
  const toggle = page.getByRole('button', { name: 'Temporary chat' });
  await toggle.click();
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'kept.png', mimeType: 'image/png', buffer: PIXEL });
  await expect(page.getByRole('button', { name: /Remove kept.png/ })).toBeVisible();
  await toggle.click();
  await chat.ask('Ordinary');
  await expect.poll(() => kept(page)).toContain('images:');
  await page.reload();
  await expect(page.locator('article.question img')).toBeVisible();
});

test('a model makes the title, if one is chosen, and never over a name', async ({
  chat,
  page,
  upstream,
}) => {
  await chat.open();
  await chat.ask('First words');
  const title = page.locator('.list-title').first();
  await expect(title).toHaveText('First words');
  const before = upstream.requests.length;
  await page.getByRole('button', { name: 'Settings' }).first().click();
  await page.getByRole('tab', { name: 'Models & presets' }).click();
  await page.getByLabel(/Titles of conversations/).selectOption('smart');
  await page.keyboard.press('Escape');
  // Not for a second answer.
  await chat.ask('Second');
  expect(upstream.requests.length).toBe(before + 1);
  await page
    .getByRole('button', { name: /^New chat/ })
    .first()
    .click();
  await chat.ask('A question');
  await expect.poll(() => upstream.requests.length).toBe(before + 3);
  const request = upstream.requests.at(-1);
  expect(request?.model).toBe('smart-1');
  expect(JSON.stringify(request?.messages)).toContain('Echo of A question');
  // The mock echoes what it was asked.
  await expect(title).toHaveText(/^Echo of Write a title/);

  await page
    .getByRole('button', { name: /^New chat/ })
    .first()
    .click();
  await chat.send('[[hold]] to be named');
  await expect(chat.last).toContainText('word');
  await page.locator('.list-row a').first().dblclick();
  await page.getByRole('textbox', { name: 'New name' }).fill('My own name');
  await page.getByRole('textbox', { name: 'New name' }).press('Enter');
  const asked = upstream.requests.length;
  upstream.release();
  await chat.settled();
  await chat.ask('A sign that nothing else was asked');
  expect(upstream.requests.length).toBe(asked + 1);
  await expect(title).toHaveText('My own name');
});

test('a result that is typed but not sent is kept', async ({ chat, page, upstream }) => {
  await chat.open();
  await chat.ask('[[tools]]');
  const field = chat.last.getByLabel('Result of get_weather');
  await field.fill('12 degrees');
  await page
    .getByRole('button', { name: /^New chat/ })
    .first()
    .click();
  await expect(chat.answers).toHaveCount(0);
  await page.goBack();
  await expect(field).toHaveValue('12 degrees');
  await page.reload();
  await expect(field).toHaveValue('12 degrees');
  await chat.last.getByRole('button', { name: 'Send the result' }).click();
  await expect(chat.answers).toHaveCount(2);
  await expect
    .poll(() => JSON.stringify(upstream.requests.at(-1)?.messages))
    .toContain('12 degrees');
  const drafts = () =>
    page.evaluate(() => Object.keys(localStorage).filter((key) => /:d:/.test(key)));
  await expect.poll(drafts).toEqual([]);
});

test('an edit that is not sent is kept, until it is cancelled', async ({ chat, page }) => {
  await chat.open();
  await chat.ask('As asked');
  const edit = async () => {
    await page.locator('article.question').hover();
    await page.getByRole('button', { name: 'Edit message' }).click();
  };
  const field = page.getByRole('textbox', { name: 'Edit message' });
  await edit();
  await field.fill('Asked better');
  await page.reload();
  await edit();
  await expect(field).toHaveValue('Asked better');
  await field.press('Escape');
  await edit();
  await expect(field).toHaveValue('As asked');
  await field.fill('Asked best');
  await field.press('Enter');
  await expect(chat.last).toContainText('Echo of Asked best');
  const drafts = () =>
    page.evaluate(() => Object.keys(localStorage).filter((key) => /:d:/.test(key)));
  await expect.poll(drafts).toEqual([]);
});

/** Speech as the browser has it, without its voices and microphones. */
async function speech(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const spoken: string[] = [];
    Object.assign(window, { spoken });
    Object.defineProperty(window, 'speechSynthesis', {
      value: {
        speak(utterance: SpeechSynthesisUtterance) {
          spoken.push(utterance.text);
          if (!utterance.text.includes('wait'))
            setTimeout(() => utterance.onend?.(new Event('end') as SpeechSynthesisEvent));
        },
        cancel: () => spoken.push('(silence)'),
      },
    });
    class Recognition {
      onresult: ((event: object) => void) | null = null;
      onend: (() => void) | null = null;
      start() {
        Object.assign(window, { recognition: this });
      }
      stop() {
        this.onend?.();
      }
    }
    Object.assign(window, { SpeechRecognition: Recognition, webkitSpeechRecognition: Recognition });
  });
}

const spoken = (page: Page) =>
  page.evaluate(() => (window as unknown as { spoken: string[] }).spoken);

test('an answer is read aloud without its code, until it is stopped', async ({ chat, page }) => {
  await speech(page);
  await chat.open();
  await chat.ask('[[raw]]\nFirst.\n\n```js\nlet x = 1;\n```\n\nThen wait.\n\nNever said.');
  await chat.last.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Read aloud' }).click();
  await expect.poll(() => spoken(page)).toEqual(['(silence)', 'First.', 'Then wait.']);
  await chat.last.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Stop reading' }).click();
  await expect.poll(() => spoken(page)).toEqual(['(silence)', 'First.', 'Then wait.', '(silence)']);
});

test('an answer is not read on behind another conversation', async ({ chat, page }) => {
  await speech(page);
  await chat.open();
  await chat.ask('[[raw]]\nHere I wait.\n\nNever said.');
  await chat.last.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Read aloud' }).click();
  await expect.poll(() => spoken(page)).toEqual(['(silence)', 'Here I wait.']);
  await page
    .getByRole('button', { name: /^New chat/ })
    .first()
    .click();
  await expect.poll(() => spoken(page)).toEqual(['(silence)', 'Here I wait.', '(silence)']);
});

async function say(page: Page, transcript: string, isFinal: boolean): Promise<void> {
  await page.waitForFunction(() => 'recognition' in window);
  await page.evaluate(
    ([text, final]) => {
      const { recognition } = window as unknown as {
        recognition: { onresult(event: object): void };
      };
      const result = Object.assign([{ transcript: text }], { isFinal: final });
      recognition.onresult({ resultIndex: 0, results: [result] });
    },
    [transcript, isFinal] as const,
  );
}

test('dictation writes into the field, behind what is there', async ({ chat, page }) => {
  await speech(page);
  await chat.open();
  await chat.composer.fill('Typed.');
  const button = page.getByRole('button', { name: 'Dictate' });
  await button.click();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
  await say(page, 'half a', false);
  await expect(chat.composer).toHaveValue('Typed.');
  await say(page, ' And said. ', true);
  await expect(chat.composer).toHaveValue('Typed. And said.');
  await button.click();
  await expect(button).toHaveAttribute('aria-pressed', 'false');
});

test('what is recognized late stays with its conversation', async ({ chat, page }) => {
  await speech(page);
  await chat.open();
  await chat.ask('Another');
  const fresh = page.getByRole('button', { name: /^New chat/ }).first();
  await fresh.click();
  await chat.composer.fill('Typed.');
  await page.getByRole('button', { name: 'Dictate' }).click();
  await page.waitForFunction(() => 'recognition' in window);
  await page.getByRole('link', { name: /Another/ }).click();
  await expect(chat.composer).toHaveValue('');
  await say(page, 'One.', true);
  await expect(chat.composer).toHaveValue('');
  await fresh.click();
  await expect(chat.composer).toHaveValue('Typed. One.');
  await say(page, 'Two.', true);
  await expect(chat.composer).toHaveValue('Typed. One. Two.');
});

test('the icons look like the SVG files that they are drawn from', async ({ chat, page }) => {
  await chat.open();
  const differences = await page.evaluate(async () => {
    const pixels = async (name: string, size: number) => {
      const image = new Image(size, size);
      image.src = name;
      await image.decode();
      const canvas = new OffscreenCanvas(size, size);
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      // A browser draws an SVG in its own size.
      context.drawImage(image, 0, 0, size, size);
      return context.getImageData(0, 0, size, size).data;
    };
    const compare = async (png: string, svg: string, size: number) => {
      const [one, other] = await Promise.all([pixels(png, size), pixels(svg, size)]);
      return one.reduce((sum, value, i) => sum + Math.abs(value - (other[i] ?? 0)), 0) / one.length;
    };
    return [
      await compare('icon-192.png', 'icon.svg', 192),
      await compare('icon-512.png', 'icon.svg', 512),
      await compare('icon-maskable-512.png', 'icon-maskable.svg', 512),
      await compare('apple-touch-icon.png', 'icon-maskable.svg', 180),
    ];
  });
  // Of 255: edges are drawn in other shades.
  for (const difference of differences) expect(difference).toBeLessThan(0.5);
});

test('the page can be installed, and keeps no responses', async ({ chat, page, request }) => {
  await chat.open();
  await expect(page.locator('link[rel=manifest]')).toHaveCount(0);
  await chat.composer.press('a');
  const href = await page.locator('link[rel=manifest]').getAttribute('href');
  const response = await request.get(new URL(href ?? '', page.url()).href);
  expect(response.headers()['content-type']).toContain('application/manifest+json');
  const manifest = await response.json();
  expect(manifest).toMatchObject({ name: 'Trunkline', display: 'standalone', start_url: './' });
  for (const { src, type } of manifest.icons) {
    const icon = await request.get(new URL(src, response.url()).href);
    expect(icon.ok()).toBe(true);
    expect(icon.headers()['content-type']).toContain(type);
  }
  const touch = page.locator('link[rel=apple-touch-icon]');
  await expect(touch).toHaveAttribute('href', './apple-touch-icon.png');
  expect((await request.get(new URL('./apple-touch-icon.png', page.url()).href)).ok()).toBe(true);
  expect(await page.evaluate(() => navigator.serviceWorker?.controller ?? null)).toBeNull();
});
