import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { speedOf } from '../../src/api/metrics';
import { runChat } from '../../src/api/run';
import type { ChatRequest } from '../../src/api/types';

const REFUSAL = '{"error":{"message":"Unrecognized request argument supplied: stream_options"}}';
const STREAM =
  'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

const request: ChatRequest = {
  model: 'm',
  messages: [{ role: 'user', content: 'hi' }],
  stream: true,
  stream_options: { include_usage: true },
};

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Runs the request against this server, and returns the bodies that it got. */
async function run(respond: (body: ChatRequest) => Response) {
  const bodies: ChatRequest[] = [];
  vi.stubGlobal('fetch', (_url: string, init: RequestInit) => {
    const body = JSON.parse(String(init.body)) as ChatRequest;
    bodies.push(body);
    return Promise.resolve(respond(body));
  });
  const { signal } = new AbortController();
  const result = await runChat(request, { signal, onProgress: () => {} });
  return { bodies, result };
}

describe('wu05: the option that asks for usage', () => {
  it.each([400, 422, 500])('is left out where it is refused with %i', async (status) => {
    const { bodies, result } = await run((body) =>
      body.stream_options
        ? new Response(REFUSAL, { status })
        : new Response(STREAM, { headers: { 'content-type': 'text/event-stream' } }),
    );
    expect(bodies.map((body) => 'stream_options' in body)).toEqual([true, false]);
    expect(result).toMatchObject({ state: 'done', text: 'Hi' });
  });

  it('stays where something else is refused', async () => {
    const error = '{"error":{"message":"too long"}}';
    const { bodies, result } = await run(() => new Response(error, { status: 400 }));
    expect(bodies).toHaveLength(1);
    expect(result.state).toBe('failed');
  });
});

describe('the figures of an answer', () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const delta = (content: string) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
  const usage = (reasoning: number) =>
    `data: ${JSON.stringify({
      choices: [],
      usage: {
        prompt_tokens: 1,
        completion_tokens: 2 + reasoning,
        completion_tokens_details: { reasoning_tokens: reasoning },
      },
    })}\n\n`;

  /** Sends each piece at its time. */
  const timed = (pieces: [number, string][]) =>
    run(() => {
      const left = [...pieces];
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            const next = left.shift();
            if (!next) return controller.close();
            now = next[0];
            controller.enqueue(new TextEncoder().encode(next[1]));
          },
        },
        // Nothing is sent before it is asked for, so that no piece has the time of the next.
        { highWaterMark: 0 },
      );
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    });

  it('count from the first to the last token, not to the end', async () => {
    const { result } = await timed([
      [100, delta('a')],
      [1100, delta('b')],
      [4000, 'data: [DONE]\n\n'],
    ]);
    expect(result.metrics).toMatchObject({ firstTokenMs: 100, lastTokenMs: 1100, totalMs: 4000 });
    expect(speedOf(result.metrics)).toBe(1);
  });

  it('leave out what was thought before the first token', async () => {
    const { result } = await timed([
      [3000, delta('a')],
      [4000, delta('b')],
      [4000, usage(500)],
      [4000, 'data: [DONE]\n\n'],
    ]);
    expect(result.metrics).toMatchObject({ outputTokens: 502, streamedTokens: 2 });
    expect(speedOf(result.metrics)).toBe(1);
  });

  it('have no speed where the tab was suspended meanwhile', async () => {
    const { result } = await timed([
      [100, delta('a')],
      [60_000, delta('b')],
      [60_000, 'data: [DONE]\n\n'],
    ]);
    expect(result.metrics).toMatchObject({ firstTokenMs: 100, suspended: true });
    expect(speedOf(result.metrics)).toBeUndefined();
  });

  it('have no time of the first token where the tab was suspended before it', async () => {
    const { result } = await timed([
      [60_000, delta('a')],
      [61_000, delta('b')],
      [61_000, 'data: [DONE]\n\n'],
    ]);
    expect(result.metrics?.firstTokenMs).toBeUndefined();
  });
});
