// Serves the built page and a mock upstream with a fixed token rate: no gateway, so that only the
// page is measured.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

const dist = process.env.TRUNKLINE_PAGE_DIST ?? join(import.meta.dirname, '../dist');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const STATUS = {
  version: 'bench',
  at: Date.now(),
  uptime_ms: 1,
  draining: false,
  requests: { in_flight: 0, total: 0, failed: 0, cancelled: 0 },
  tokens: { input: 0, output: 0 },
  models: [
    {
      id: 'bench',
      provider: 'bench',
      upstream_model: 'bench',
      ready: true,
      missing: null,
      in_flight: 0,
      total: 0,
      failed: 0,
      first_token_ms: { count: 0, p50: null, p95: null },
    },
  ],
  providers: [],
  recent: [],
};

const PARTS = [
  'The gateway takes a request, looks up its model and sends it on. ',
  'Some **bold words**, some `code`, and a [link](https://example.com) in a sentence. ',
  '\n\n## A heading\n\n',
  '- a point\n- another point with *stress*\n- a third one\n\n',
  '```js\nfunction add(a, b) {\n  return a + b; // a comment\n}\nconsole.log(add(1, 2));\n```\n\n',
  '| name | value |\n| --- | --- |\n| one | 1 |\n| two | 2 |\n\n',
];

/** About one token each, at four characters per token. */
function tokens(count) {
  let text = '';
  for (let i = 0; text.length < count * 4; i++)
    text += PARTS[(i * 7) % 11 < 6 ? 0 : i % PARTS.length];
  return text.match(/[\s\S]{4}/g).slice(0, count);
}

export async function serve({ rate, tokens: total }) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://x').pathname;
    if (path === '/v1/chat/completions') return answer(request, response, rate, total);
    if (path === '/trunkline/status')
      return response.setHeader('content-type', 'application/json').end(JSON.stringify(STATUS));
    const file = join(dist, path === '/' ? 'index.html' : path);
    if (!file.startsWith(dist) || !existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

async function answer(request, response, rate, total) {
  let body = '';
  for await (const piece of request) body += piece;
  const question = JSON.parse(body).messages.at(-1).content;
  const burst = /\[\[burst (\d+)\]\]/.exec(question);
  const list = tokens(burst ? Number(burst[1]) : total);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const event = (delta, finish = null) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const began = performance.now();
  let sent = 0;
  while (sent < list.length) {
    const due = burst
      ? list.length
      : Math.min(list.length, Math.ceil(((performance.now() - began) / 1000) * rate));
    while (sent < due) response.write(event({ content: list[sent++] }));
    await new Promise((done) => setTimeout(done, 3));
  }
  response.end(`${event({}, 'stop')}data: [DONE]\n\n`);
}
