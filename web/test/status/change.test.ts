import { describe, expect, it } from 'vitest';
import type { GatewayStatus, ModelStatus } from '../../src/api/types';
import { applyChange } from '../../src/status/change';

const none = { count: 0, p50: null, p95: null };

function model(id: string, total = 0): ModelStatus {
  const rest = { provider: 'p', upstream_model: 'u', ready: true, missing: null };
  return { id, ...rest, in_flight: 0, total, failed: 0, first_token_ms: none };
}

const whole: GatewayStatus = {
  version: '1',
  at: 1,
  uptime_ms: 1,
  draining: false,
  requests: { in_flight: 0, total: 0, failed: 0, cancelled: 0 },
  tokens: { input: 0, output: 0 },
  models: [model('a'), model('b'), model('c')],
  providers: [],
  recent: [],
};

describe('a status and its changes', () => {
  it('replaces changed rows', () => {
    const { recent: _, ...head } = whole;
    const next = applyChange(whole, { ...head, at: 2, draining: true, models: [model('b', 7)] });
    expect(next.models.map((model) => [model.id, model.total])).toEqual([
      ['a', 0],
      ['b', 7],
      ['c', 0],
    ]);
    expect([next.at, next.draining]).toEqual([2, true]);
    expect(next.models[0]).toBe(whole.models[0]);
    expect(next.recent).toBe(whole.recent);
  });

  it('keeps the identity of unchanged rows', () => {
    const next = applyChange(whole, { ...whole, at: 2, models: [], providers: [], recent: [] });
    expect(next.models).toBe(whole.models);
    expect(next.providers).toBe(whole.providers);
  });

  it('drops a row that the full status lacks', () => {
    const next = applyChange(whole, { ...whole, models: [model('new')] });
    expect(next.models.map((model) => model.id)).toEqual(['a', 'b', 'c']);
  });
});
