import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: './specs',
  outputDir: './results',
  fullyParallel: true,
  workers: 2,
  timeout: 20_000,
  expect: { timeout: 5000 },
  forbidOnly: !!process.env.CI,
  reporter: [['list']],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // The sandbox needs privileges that containers seldom give.
      args: ['--no-sandbox'],
    },
  },
});
