import { defineConfig } from '@playwright/test';

export default defineConfig({
  projects: [
    { name: 'page', testDir: './specs' },
    // Runs alone after the others, since it measures.
    { name: 'lighthouse', testDir: './after', dependencies: ['page'], fullyParallel: false },
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
