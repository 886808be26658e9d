// Measures how smoothly the page draws a fast answer in a long conversation.
// Reports only: the figures depend on the machine.
//   npm run build && (cd e2e && npm ci) && npm run bench:stream -- [tokens per second] [seconds]
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(import.meta.dirname, '../e2e/package.json'));
const { chromium } = require('@playwright/test');
const { serve } = await import('./serve.mjs');

const RATE = Number(process.argv[2] ?? 300);
const SECONDS = Number(process.argv[3] ?? 20);
const HISTORY_TOKENS = 20_000;

const page = await serve({ rate: RATE, tokens: RATE * SECONDS });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const tab = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await tab.goto(page.url);
await tab.locator('#composer').waitFor();
for (let have = 0; have < HISTORY_TOKENS; have += 1000) {
  await tab.locator('#composer').fill(`[[burst 1000]] Part ${have / 1000 + 1}`);
  await tab.keyboard.press('Enter');
  await tab
    .locator('article.answer[aria-busy=false]')
    .nth(have / 1000)
    .waitFor({ timeout: 60_000 });
}
await tab.evaluate(watch);
const session = await tab.context().newCDPSession(tab);
await session.send('Performance.enable');
const busy = async () => {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find((metric) => metric.name === 'TaskDuration').value * 1000;
};

await tab.locator('#composer').fill('[[measured]] Go');
await tab.keyboard.press('Enter');
const last = tab.locator('article.answer').last();
await tab.waitForFunction(() => window.__frames.length > 0);
const began = Date.now();
const before = await busy();
// Main-thread time for the first and for the last thousand tokens.
const thousand = (1000 / RATE) * 1000;
await tab.waitForTimeout(thousand);
const first = (await busy()) - before;
await tab.waitForTimeout(Math.max(0, SECONDS * 1000 - 2 * thousand - 200));
const middle = await busy();
await tab.waitForTimeout(thousand);
const end = (await busy()) - middle;
await last.and(tab.locator('[aria-busy=false]')).waitFor({ timeout: 60_000 });
const took = Date.now() - began;

const { frames, long } = await tab.evaluate(() => ({
  frames: window.__frames,
  long: window.__long,
}));
const shown = frames.filter((at) => at < SECONDS * 1000);
const gaps = shown
  .slice(1)
  .map((at, i) => at - shown[i])
  .sort((a, b) => a - b);
const report = {
  'tokens per second': RATE,
  'tokens in the answer': RATE * SECONDS,
  'tokens before it': HISTORY_TOKENS,
  'frames per second': round(shown.length / (shown.at(-1) / 1000)),
  'frame p95, ms': round(gaps[Math.floor(gaps.length * 0.95)]),
  'long tasks': long.length,
  'long tasks, ms in all': round(long.reduce((a, b) => a + b, 0)),
  'finished after, s': round(took / 1000),
  'work on the first 1,000 tokens, ms': round(first),
  'work on the last 1,000 tokens, ms': round(end),
  'last to first': round(end / first),
};
console.table(report);
await browser.close();
await page.close();

function round(n) {
  return Math.round(n * 100) / 100;
}

function watch() {
  window.__frames = [];
  window.__long = [];
  let start;
  // Counting starts with the first text of the measured answer.
  const frame = (now) => {
    const answers = document.querySelectorAll('article.answer');
    const answer = answers[answers.length - 1];
    const live = answer?.getAttribute('aria-busy') === 'true' && answer.querySelector('.md');
    if (live) {
      start ??= now;
      window.__frames.push(now - start);
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => {
    if (start !== undefined)
      for (const entry of list.getEntries()) window.__long.push(entry.duration);
  }).observe({ type: 'longtask' });
}
