import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, type Page } from '@playwright/test';

/** The only rules that colours affect. */
const COLOURS = ['color-contrast', 'link-in-text-block'];

// Injected directly: the usual wrapper injects its 500 KB for each run, and opens another page to
// merge frames, of which there are none.
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function axe(page: Page, rules?: string[]): Promise<void> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const found = await page.evaluate(async (only) => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') };
    const { violations } = await axe.run(document, {
      resultTypes: ['violations'],
      ...(only && { runOnly: { type: 'rule', values: only } }),
    });
    return violations.map(
      (violation) =>
        `${violation.id}: ${violation.nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n  ')}`,
    );
  }, rules);
  expect(found).toEqual([]);
}

/** A theme change takes effect within the next frames. */
async function theme(page: Page, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
}

/** Checks both themes, and that nothing is wider than the viewport. */
export async function inspect(page: Page, shot?: string): Promise<void> {
  await theme(page, 'light');
  await axe(page);
  if (shot) await page.screenshot({ path: `shots/${shot}-light.png` });
  await theme(page, 'dark');
  await axe(page, COLOURS);
  if (shot) await page.screenshot({ path: `shots/${shot}-dark.png` });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over).toBeLessThanOrEqual(0);
}
