import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ANSWERS, SCRIPT } from './answers.ts';

type Json = Record<string, unknown>;

interface Chat {
  model: string;
  stream?: boolean;
  messages: { role: string; content: string | { type: string; text?: string }[] }[];
}

/**
 * A mock provider: `[[name argument]]` in the last user message selects a scenario; the rest of
 * the message is echoed.
 */
export interface Upstream {
  url: string;
  /** The bodies of all chat requests, oldest first. */
  requests: Chat[];
  /** The last questions of requests that the gateway closed before their answers ended. */
  closed: string[];
  /** Completes the answers to `[[hold]]`. */
  release(): void;
  close(): Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const requests: Chat[] = [];
  const closed: string[] = [];
  const server = createServer((request, response) => {
    answer(request, response, requests, closed).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    closed,
    release() {
      for (const go of held.splice(0)) go();
    },
    close: () => stop(server),
  };
}

export function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  seen: Chat[],
  closed: string[],
): Promise<void> {
  let text = '';
  for await (const piece of request) text += piece;
  if (request.url?.endsWith('/models')) {
    json(
      response,
      200,
      Array.from({ length: 400 }, (_, i) => ({ id: `org/model-${i}` })),
    );
    return;
  }
  if (!request.url?.endsWith('/chat/completions')) {
    json(response, 200, { object: 'list', data: [{ embedding: [0.1, 0.2] }] });
    return;
  }
  const path = request.url ?? '';
  const trouble = path.startsWith('/broken') ? 500 : path.startsWith('/busy') ? 429 : 0;
  if (trouble) {
    if (trouble === 429) response.setHeader('retry-after', '40');
    json(response, trouble, { error: { message: 'Not now.', type: 'scripted' } });
    return;
  }
  const chat = JSON.parse(text) as Chat;
  seen.push(chat);
  const question = lastQuestion(chat);
  response.on('close', () => {
    if (!response.writableEnded) closed.push(question);
  });
  const [, name = 'echo', argument = ''] =
    /\[\[([\w-]+) ?([^\]]*)\]\]/.exec(SCRIPT[question] ? `[[${SCRIPT[question]}]]` : question) ??
    [];
  const rest = question.replace(/\[\[[^\]]*\]\]\n?/, '');
  const scenario = SCENARIOS[name] ?? SCENARIOS.echo;
  await scenario?.({ chat, response, argument, rest });
}

function lastQuestion(chat: Chat): string {
  const content = chat.messages.findLast((message) => message.role === 'user')?.content ?? '';
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('');
}

/** Answers waiting for `release`. */
const held: (() => void)[] = [];

interface Turn {
  chat: Chat;
  response: ServerResponse;
  argument: string;
  rest: string;
}

const SCENARIOS: Record<string, (turn: Turn) => Promise<void>> = {
  echo: (turn) => stream(turn, words(`Echo of ${turn.rest || 'nothing'}`)),
  /** Echoes the rest of the message unchanged. */
  raw: (turn) => stream(turn, pieces(turn.rest, 40)),
  /** An answer of `ANSWERS`. */
  say: (turn) => stream(turn, pieces(ANSWERS[turn.argument] ?? '', 24)),
  /** Starts an answer that ends on `release`. */
  async hold(turn) {
    begin(turn.response);
    turn.response.write(chunk(turn, { content: 'word word ' }));
    await new Promise<void>((go) => held.push(go));
    await stream(turn, ['and the end.'], { begun: true });
  },
  fast: (turn) => stream(turn, words(ANSWERS[turn.argument] ?? 'quick '.repeat(30)), { gap: 4 }),
  /** Echoes the request body. */
  show: (turn) => stream(turn, [JSON.stringify(turn.chat)]),
  long: (turn) => stream(turn, ['So far'], { finish: 'length' }),
  async wait(turn) {
    await sleep(Number(turn.argument) || 500);
    await stream(turn, ['Waited.']);
  },
  async cut(turn) {
    begin(turn.response);
    for (const word of words('This much arrived before the'))
      turn.response.write(chunk(turn, { content: word }));
    await sleep(50);
    turn.response.end();
  },
  async 'error-in-stream'(turn) {
    begin(turn.response);
    turn.response.write(chunk(turn, { content: 'Half an answer' }));
    await sleep(30);
    const error = {
      message: 'The engine caught fire.',
      type: 'server_error',
      param: null,
      code: 'engine',
    };
    turn.response.end(`data: ${JSON.stringify({ error })}\n\n`);
  },
  async status(turn) {
    const [status = '500', wait] = turn.argument.split(' ');
    if (wait) turn.response.setHeader('retry-after', wait);
    const error = {
      message: `Scripted ${status}.`,
      type: 'scripted',
      param: null,
      code: `code_${status}`,
    };
    json(turn.response, Number(status), { error });
  },
  reasoning: (turn) =>
    stream(turn, [
      ...words('First I think about it.').map((word) => ({ reasoning_content: word })),
      ...words('Then I answer.').map((word) => ({ content: word })),
    ]),
  think: (turn) => stream(turn, pieces('<think>\nHidden thought\n</think>\n\nOpen answer', 3)),
  tools: (turn) =>
    stream(
      turn,
      [
        {
          tool_calls: [
            {
              index: 0,
              id: 'call_1',
              type: 'function',
              function: { name: 'get_weather', arguments: '' },
            },
          ],
        },
        ...pieces('{"city":"Bern","days":3}', 5).map((piece) => ({
          tool_calls: [{ index: 0, function: { arguments: piece } }],
        })),
      ],
      { finish: 'tool_calls' },
    ),
  empty: (turn) => stream(turn, []),
};

interface StreamOptions {
  gap?: number;
  begun?: boolean;
  finish?: string;
}

async function stream(
  turn: Turn,
  parts: (string | Json)[],
  options: StreamOptions = {},
): Promise<void> {
  const { response } = turn;
  if (!options.begun) begin(response);
  for (const part of parts) {
    if (response.destroyed) return;
    response.write(chunk(turn, typeof part === 'string' ? { content: part } : part));
    if (options.gap) await sleep(options.gap);
  }
  response.write(chunk(turn, {}, options.finish ?? 'stop'));
  const usage = {
    prompt_tokens: 12,
    completion_tokens: Math.max(1, parts.length),
    total_tokens: 12 + parts.length,
  };
  response.write(
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: turn.chat.model, choices: [], usage })}\n\n`,
  );
  response.end('data: [DONE]\n\n');
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'upstream-7' });
}

function chunk(turn: Turn, delta: Json, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  const body = {
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: turn.chat.model,
    choices,
  };
  return `data: ${JSON.stringify(body)}\n\n`;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

const words = (text: string) => text.match(/\S+\s*/g) ?? [];

function pieces(text: string, size: number): string[] {
  const out: string[] = [];
  for (let at = 0; at < text.length; at += size) out.push(text.slice(at, at + size));
  return out;
}
