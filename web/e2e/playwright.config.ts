import { defineConfig } from '@playwright/test';

export default defineConfig({
  projects: [
    { name: 'page', testDir: './specs' },
    // By itself, when all else is done: it measures.
    { name: 'lighthouse', testDir: './after', dependencies: ['page'], fullyParallel: false },
  ],
  outputDir: './results',
  fullyParallel: true,
  // With two browsers on two cores, now and then a test met a page that was not ready.
  workers: 1,
  retries: 0,
  // Generous, since nothing waits for time to pass: only a failure takes as long.
  timeout: 60_000,
  expect: { timeout: 15_000 },
  forbidOnly: !!process.env.CI,
  reporter: [['list']],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // The sandbox needs privileges that containers seldom give, and a graphics
      // card that is only imitated costs more than drawing without one.
      args: ['--no-sandbox', '--disable-gpu'],
    },
  },
});
