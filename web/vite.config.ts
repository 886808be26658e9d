import { resolve } from 'node:path';
import { defineConfig, type ProxyOptions } from 'vite';
import { alias } from './vite/alias';
import { compress } from './vite/compress';

/** The Trunkline that `npm run dev` talks to. */
const gateway = process.env.TRUNKLINE_URL ?? 'http://127.0.0.1:8080';

const toGateway: ProxyOptions = {
  target: gateway,
  changeOrigin: true,
  configure(proxy) {
    // The gateway refuses pages of another origin. The development server is
    // one only in name.
    proxy.on('proxyReq', (request) => {
      request.removeHeader('origin');
      request.removeHeader('referer');
      request.removeHeader('sec-fetch-site');
    });
  },
};

export default defineConfig({
  // Relative, so that the page works below any sub-path without another build.
  base: './',
  resolve: { alias },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [compress()],
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
    // Older targets would have light-dark() and nesting rewritten at length.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    // An inlined file would be a data: address, which the page's policy forbids.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        index: resolve(import.meta.dirname, 'index.html'),
        docs: resolve(import.meta.dirname, 'docs.html'),
      },
      output: {
        // One file for all that the first load needs. Left alone, the bundler
        // makes one of each part that a lazy one shares, some twenty requests.
        codeSplitting: { groups: [{ name: 'page', tags: ['$initial'] }] },
      },
    },
  },
});
