import { defineConfig } from 'vitest/config';
import { alias } from './vite/alias';
import { messages } from './vite/messages';

export default defineConfig({
  resolve: { alias },
  plugins: [messages()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    environment: 'node',
    include: ['src/**/*.test.{ts,tsx}', 'test/**/*.test.{ts,tsx}'],
    // The browser tests are a separate project.
    exclude: ['e2e/**', 'node_modules/**', 'dist/**'],
  },
});
