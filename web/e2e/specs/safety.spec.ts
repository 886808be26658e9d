import type { Page } from '@playwright/test';
import { HOSTILE } from '../../test/corpus/hostile.ts';
import { expect, test } from '../harness/test.ts';

/** What hostile answers did to the page since it was opened. */
async function expectHarmless(page: Page): Promise<void> {
  // What is far from the viewport is drawn as plain text.
  for (const answer of await page.locator('article.answer').all())
    await answer.scrollIntoViewIfNeeded();
  await expect(page.locator('.md a').first()).toBeAttached();
  const found = await page.evaluate(() => ({
    ran: '__ran' in window,
    reports: (window as unknown as { __reports: string[] }).__reports,
    elements: document.querySelectorAll(
      '.md :is(script, iframe, object, embed, form, style, link, base, meta, video, audio, svg, template, img[src^="http"])',
    ).length,
    links: [...document.querySelectorAll<HTMLAnchorElement>('.md a')].map((a) => [
      a.protocol,
      a.rel,
    ]),
  }));
  expect(found.ran).toBe(false);
  expect(found.reports).toEqual([]);
  expect(found.elements).toBe(0);
  for (const [protocol, rel] of found.links) {
    expect(protocol).toMatch(/^(?:https?|mailto):$/);
    expect(rel).toBe('noopener noreferrer');
  }
}

test('hostile answers run nothing, load nothing, and cause no CSP violation', async ({
  chat,
  page,
}) => {
  const foreign: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(chat.url) && !/^(?:data|blob):/.test(url)) foreign.push(url);
  });
  page.on('dialog', (dialog) => dialog.dismiss());
  await page.addInitScript(() => {
    const seen: string[] = [];
    Object.assign(window, { __reports: seen });
    document.addEventListener('securitypolicyviolation', (event) => {
      seen.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await chat.open();
  let number = 0;
  let clicks = 0;
  // One answer passes through all states of the renderer, with one payload per section.
  for (let at = 0; at < HOSTILE.length; at += 12) {
    const part = HOSTILE.slice(at, at + 12);
    await chat.ask(
      `[[raw]]\n${part.map((payload) => `Payload ${++number}:\n\n${payload}\n\n---\n`).join('\n')}`,
    );
    await chat.last.scrollIntoViewIfNeeded();
    // Clicking everything must not trigger them either.
    for (const chip of await chat.last.locator('.md-chip button').all()) {
      await chip.click();
      clicks++;
    }
  }
  expect(number).toBeGreaterThanOrEqual(60);
  expect(clicks).toBeGreaterThan(0);
  await expectHarmless(page);
  await page.reload();
  await expect(chat.last).toBeVisible();
  await expectHarmless(page);
  expect(foreign).toEqual([]);
});

test('a hostile question, title and model name are text', async ({ chat, page }) => {
  await chat.open();
  const text = '<img src=x onerror="window.__ran=1"> "><script>window.__ran=1</script>';
  await chat.ask(text);
  await expect(page.locator('article.question')).toContainText(text);
  await expect(page.getByRole('navigation').getByRole('link', { name: '<img' })).toBeVisible();
  expect(await page.evaluate(() => '__ran' in window)).toBe(false);
});

test('?q= fills the field and sends nothing', async ({ chat, page, upstream }) => {
  const before = upstream.requests.length;
  await chat.open('/?q=Delete%20everything');
  await expect(chat.composer).toHaveValue('Delete everything');
  await expect(chat.answers).toHaveCount(0);
  await page.reload();
  await expect(chat.composer).toBeVisible();
  await expect(chat.answers).toHaveCount(0);
  // Anything sent automatically would have arrived before this.
  await chat.ask('Mine');
  expect(upstream.requests.length).toBe(before + 1);
});

test('the first load has few requests, all to the gateway', async ({ page, gateway }) => {
  const files: string[] = [];
  page.on('request', (request) => {
    if (request.resourceType() !== 'fetch') files.push(request.url());
  });
  await page.goto(gateway);
  await expect(page.locator('#composer')).toBeVisible();
  await page.waitForLoadState('networkidle');
  const real = files.filter((url) => !url.startsWith('data:'));
  expect(real.length).toBeLessThanOrEqual(4);
  for (const url of real) expect(url.startsWith(gateway)).toBe(true);
});

test("the page's CSP is strict", async ({ request, gateway }) => {
  for (const path of ['/', '/docs']) {
    const policy = (await request.get(gateway + path)).headers()['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("trusted-types 'none'");
    expect(policy).not.toContain('unsafe');
  }
});

for (const [name, viewport] of Object.entries({
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
})) {
  for (const bare of [false, true]) {
    test(`nothing moves while the page opens: ${name}${bare ? ', first start' : ''}`, async ({
      page,
      another,
    }) => {
      await page.setViewportSize(viewport);
      await page.addInitScript(() => {
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            const shift = entry as PerformanceEntry & {
              value: number;
              sources: { node?: Element }[];
            };
            const moved = shift.sources.map(({ node }) => node?.className ?? String(node));
            document.documentElement.dataset.shifts = `${document.documentElement.dataset.shifts ?? ''}${shift.value} ${moved};`;
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      // As slow as over a network, so that the page is drawn before the status.
      await page.route('**/trunkline/status', async (route) => {
        await new Promise((done) => setTimeout(done, 300));
        await route.continue();
      });
      await page.goto(await another({ bare }));
      await expect(page.locator('.starts')).toBeVisible();
      await page.waitForLoadState('networkidle');
      expect(await page.evaluate(() => document.documentElement.dataset.shifts ?? '')).toBe('');
    });
  }
}
