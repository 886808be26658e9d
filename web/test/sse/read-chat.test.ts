import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPaintQueue, readChat } from '../../src/sse';

const encoder = new TextEncoder();
const event = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;

function streamed(pieces: (string | Error)[]): Response {
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[at++];
      if (piece === undefined) controller.close();
      else if (piece instanceof Error) controller.error(piece);
      else controller.enqueue(encoder.encode(piece));
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

function clock() {
  let now = 0;
  return () => ++now;
}

describe('readChat', () => {
  it('reports the times and every change', async () => {
    const seen: string[] = [];
    const result = await readChat(
      streamed([': hi\n\n', event('a'), event('b', 'stop'), 'data: [DONE]\n\n']),
      {
        now: clock(),
        onChange: (state) => seen.push(state.content),
      },
    );
    expect(result.end).toBe('complete');
    expect(seen).toEqual(['a', 'ab', 'ab', 'ab']);
    expect(result.times).toEqual({
      firstByte: 1,
      firstToken: 2,
      firstAnswer: 3,
      // The events after it have no token.
      lastToken: 4,
      end: 5,
    });
    expect('cause' in result).toBe(false);
  });

  it('keeps the text received before a failure', async () => {
    const broken = new TypeError('network error');
    const result = await readChat(streamed([event('kept'), broken]));
    expect(result).toMatchObject({ end: 'cut', state: { content: 'kept' }, cause: broken });
  });

  it('is complete if the connection fails after the end', async () => {
    const result = await readChat(streamed([event('all', 'stop'), new TypeError('reset')]));
    expect(result.end).toBe('complete');
  });

  it('distinguishes stopped from cut', async () => {
    const controller = new AbortController();
    controller.abort();
    const result = await readChat(streamed([event('a'), new DOMException('x', 'AbortError')]), {
      signal: controller.signal,
    });
    expect(result.end).toBe('stopped');
  });

  it('reads a JSON body, also an invalid one', async () => {
    const json = (text: string) =>
      new Response(text, { headers: { 'content-type': 'application/json; charset=utf-8' } });
    const good = await readChat(
      json('{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'),
    );
    expect(good).toMatchObject({ end: 'complete', state: { content: 'Hi' } });
    expect(good.times.firstToken).not.toBeNull();
    expect((await readChat(json('{"choi'))).end).toBe('cut');
  });

  it('treats an empty body as cut', async () => {
    expect((await readChat(new Response(null))).end).toBe('cut');
  });
});

describe('the paint queue', () => {
  let frames: (() => void)[] = [];
  beforeEach(() => {
    frames = [];
    vi.useFakeTimers();
    vi.stubGlobal('requestAnimationFrame', (f: () => void) => frames.push(f));
    vi.stubGlobal('cancelAnimationFrame', () => {
      frames = [];
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('flushes the first change at once, then one per frame', () => {
    const flush = vi.fn();
    const queue = createPaintQueue(flush);
    queue.mark();
    expect(flush).toHaveBeenCalledTimes(1);
    queue.mark();
    queue.mark();
    expect(flush).toHaveBeenCalledTimes(1);
    frames[0]?.();
    expect(flush).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(1000);
    expect(flush).toHaveBeenCalledTimes(2);
  });

  it('uses a timer without animation frames', () => {
    const flush = vi.fn();
    const queue = createPaintQueue(flush);
    queue.mark();
    queue.mark();
    vi.advanceTimersByTime(250);
    expect(flush).toHaveBeenCalledTimes(2);
  });

  it('can be flushed and stopped', () => {
    const flush = vi.fn();
    const queue = createPaintQueue(flush);
    queue.mark();
    queue.flush();
    expect(flush).toHaveBeenCalledTimes(1);
    queue.mark();
    queue.flush();
    expect(flush).toHaveBeenCalledTimes(2);
    queue.mark();
    queue.stop();
    vi.advanceTimersByTime(1000);
    expect(flush).toHaveBeenCalledTimes(2);
  });
});
