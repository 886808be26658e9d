import { afterEach, describe, expect, it, vi } from 'vitest';
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
