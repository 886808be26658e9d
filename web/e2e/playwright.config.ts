import { defineConfig } from '@playwright/test';

/** What a second engine may do otherwise; the rest would only take twice the time. */
const FIREFOX_SPECS = ['chat', 'compare', 'errors', 'history'];

export default defineConfig({
  projects: [
    { name: 'page', testDir: './specs' },
    {
      name: 'firefox',
      testDir: './specs',
      testMatch: FIREFOX_SPECS.map((name) => `${name}.spec.ts`),
      use: {
        browserName: 'firefox',
        // The browser as its makers build it, driven by WebDriver BiDi.
        channel: 'moz-firefox',
        launchOptions: { executablePath: `${import.meta.dirname}/harness/firefox.mjs`, args: [] },
      },
    },
    // Runs alone after the others, since it measures.
    {
      name: 'lighthouse',
      testDir: './after',
      dependencies: ['page', 'firefox'],
      fullyParallel: false,
    },
  ],
  outputDir: './results',
  fullyParallel: true,
  // With two browsers on two cores, tests were flaky: the page was not ready in time.
  workers: 1,
  retries: 0,
  // Generous: only a failing test takes this long.
  timeout: 60_000,
  expect: { timeout: 15_000 },
  forbidOnly: !!process.env.CI,
  reporter: [['list']],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // The sandbox needs privileges that most containers lack, and an emulated GPU is slower
      // than none.
      args: ['--no-sandbox', '--disable-gpu'],
    },
  },
});
