import { resolve } from 'node:path';
import { defineConfig, type ProxyOptions } from 'vite';
import { alias } from './vite/alias';
import { compress } from './vite/compress';
import { icons } from './vite/icons';
import { messages } from './vite/messages';

/** The gateway used by `npm run dev`. */
const gateway = process.env.TRUNKLINE_URL ?? 'http://127.0.0.1:8080';

const toGateway: ProxyOptions = {
  target: gateway,
  changeOrigin: true,
  configure(proxy) {
    // The gateway rejects requests of other origins, and the development server has another port.
    proxy.on('proxyReq', (request) => {
      request.removeHeader('origin');
      request.removeHeader('referer');
      request.removeHeader('sec-fetch-site');
    });
  },
};

export default defineConfig({
  // Relative, so that one build works under any sub-path.
  base: './',
  resolve: { alias },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [messages(), compress(), icons()],
  server: {
    host: '127.0.0.1',
    proxy: {
      '^/v1/': toGateway,
      '^/trunkline/': toGateway,
      '^/openapi\\.json$': toGateway,
    },
  },
  build: {
    target: 'es2022',
    // For older targets, light-dark() and nesting would be expanded.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    // The page's CSP forbids data: URLs for these types.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        index: resolve(import.meta.dirname, 'index.html'),
        docs: resolve(import.meta.dirname, 'docs.html'),
      },
      output: {
        // One file for the first load. By default the bundler makes a chunk of each module shared
        // with a lazy one: some twenty requests.
        codeSplitting: { groups: [{ name: 'page', tags: ['$initial'] }] },
      },
    },
  },
});
