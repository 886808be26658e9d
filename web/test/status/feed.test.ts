import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { install } from '../store/browser';

const head = {
  version: '1',
  uptime_ms: 1,
  draining: false,
  requests: { in_flight: 0, total: 0, failed: 0, cancelled: 0 },
  tokens: { input: 0, output: 0 },
};
const none = { count: 0, p50: null, p95: null };
const model = (id: string, total: number) => ({
  ...{ id, provider: 'p', upstream_model: 'u', ready: true, missing: null },
  ...{ in_flight: 0, total, failed: 0, first_token_ms: none, targets: [] },
});

const whole = (at: number, ids: string[]) =>
  `data: ${JSON.stringify({ ...head, at, models: ids.map((id) => model(id, 0)), providers: [], recent: [] })}\n\n`;
const change = (at: number, models: object[]) =>
  `event: change\ndata: ${JSON.stringify({ ...head, at, models, providers: [] })}\n\n`;

/** One response per connection; later connections are refused. */
function gateway(...connections: string[][]) {
  const left = [...connections];
  vi.stubGlobal('fetch', async () => {
    const events = left.shift();
    if (!events) throw new TypeError('refused');
    return new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } });
  });
}

beforeEach(() => {
  install();
  vi.resetModules();
  vi.useFakeTimers();
  vi.stubGlobal('document', {
    visibilityState: 'visible',
    addEventListener() {},
    removeEventListener() {},
    baseURI: 'http://gateway.test/',
  });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('removeEventListener', () => {});
  vi.stubGlobal('location', new URL('http://gateway.test/'));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function follow() {
  const { feedStore, startFeed } = await import('../../src/status/feed');
  const stop = startFeed();
  await vi.advanceTimersByTimeAsync(10);
  return { feedStore, stop };
}

describe('the feed', () => {
  it('applies changes', async () => {
    gateway([whole(1, ['a', 'b']), change(2, [model('b', 3)]), change(3, [])]);
    const { feedStore, stop } = await follow();
    const { status } = feedStore.get();
    expect(status?.at).toBe(3);
    expect(status?.models.map((model) => model.total)).toEqual([0, 3]);
    stop();
  });

  it('starts from a full status with each connection', async () => {
    gateway([whole(1, ['a', 'b']), change(2, [model('a', 3)])], [whole(9, ['b', 'c'])]);
    const { feedStore, stop } = await follow();
    expect(feedStore.get().phase).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1100);
    expect(feedStore.get().status?.models.map((model) => [model.id, model.total])).toEqual([
      ['b', 0],
      ['c', 0],
    ]);
    stop();
  });

  it('ignores a change before a full status', async () => {
    gateway([change(1, [model('a', 1)]), 'data: nonsense\n\n', whole(2, ['a'])]);
    const { feedStore, stop } = await follow();
    expect(feedStore.get().status?.at).toBe(2);
    expect(feedStore.get().status?.models[0]?.total).toBe(0);
    stop();
  });
});
