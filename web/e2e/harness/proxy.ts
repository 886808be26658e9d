import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { stop } from './upstream.ts';

/** The Content-Security-Policy of the gateway. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

interface Options {
  target: string;
  /** Path prefix to strip, as a reverse proxy in front of the gateway may do. */
  prefix?: string;
  /** Folder with a built page to serve instead of the embedded one: no Rust build needed. */
  dist?: string;
}

export interface ReverseProxy {
  url: string;
  close(): Promise<void>;
}

export async function startProxy({ target, prefix = '', dist }: Options): Promise<ReverseProxy> {
  const server: Server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (!path.startsWith(`${prefix}/`)) {
      response.writeHead(404).end();
      return;
    }
    const rest = path.slice(prefix.length);
    const file = dist && fileOf(dist, rest.split('?')[0] ?? '/');
    if (file) {
      response.writeHead(200, {
        'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
        'content-security-policy': CSP,
        'cache-control': file.endsWith('.html')
          ? 'no-cache'
          : 'public, max-age=31536000, immutable',
      });
      createReadStream(file).pipe(response);
      return;
    }
    // The Host header is forwarded unchanged: the gateway compares it with the origin.
    const onward = forward(
      target + rest,
      { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${prefix}`, close: () => stop(server) };
}

function fileOf(dist: string, path: string): string | undefined {
  const names: Record<string, string> = { '/': 'index.html', '/docs': 'docs.html' };
  const file = join(dist, names[path] ?? path);
  return file.startsWith(dist) && existsSync(file) && statSync(file).isFile() ? file : undefined;
}
