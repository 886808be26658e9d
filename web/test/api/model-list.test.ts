import { describe, expect, it } from 'vitest';
import { modelsOf } from '../../src/api/gateway';
import { mergeListed, parseModelList } from '../../src/api/model-list';
import type { GatewayStatus } from '../../src/api/types';
import { shortList } from '../../src/app/format';
import { groupByProvider, limitRows } from '../../src/app/model/use-model';

const none = { count: 0, p50: null, p95: null };
const counts = { in_flight: 0, total: 0, failed: 0 };
const provider = { ready: true, missing: null, ...counts, first_byte_ms: none, last_error: null };
const status: GatewayStatus = {
  version: '1',
  at: 1,
  uptime_ms: 1,
  draining: false,
  discovers: true,
  requests: { ...counts, cancelled: 0 },
  tokens: { input: 0, output: 0 },
  models: [
    {
      id: 'fast',
      provider: 'big',
      upstream_model: 'm1',
      ready: true,
      missing: null,
      ...counts,
      first_token_ms: none,
    },
  ],
  providers: [{ name: 'big', state: 'failing', ...provider }],
  recent: [],
};

const body = (count: number) => ({
  object: 'list',
  data: [
    { id: 'fast', owned_by: 'big' },
    ...Array.from({ length: count }, (_, i) => ({ id: `big/m${i}`, owned_by: 'big' })),
  ],
});

describe('models that providers list themselves', () => {
  it('follow those of the status, and do not fail with their provider', () => {
    const models = mergeListed(modelsOf(status), parseModelList(body(2)));
    expect(models.map((model) => model.id)).toEqual(['fast', 'big/m0', 'big/m1']);
    expect(models[0]?.upstreamModel).toBe('m1');
    expect(models[1]).toMatchObject({ provider: 'big', ready: true, health: { word: 'Ready' } });
  });

  it('change nothing if there are none', () => {
    const known = modelsOf(status);
    expect(mergeListed(known, [])).toBe(known);
    for (const odd of [null, [], { data: 7 }, { data: [7, null] }]) {
      expect(parseModelList(odd)).toEqual([]);
    }
  });

  it('are found among hundreds, of which a limited number is drawn', () => {
    const models = mergeListed(modelsOf(status), parseModelList(body(400)));
    const all = groupByProvider(models, '');
    expect(limitRows(all, 200).flatMap((group) => group.models)).toHaveLength(200);
    const found = limitRows(groupByProvider(models, 'BIG m399'), 200);
    expect(found.map((group) => group.models.map((model) => model.id))).toEqual([['big/m399']]);
    // Configured models are never dropped.
    expect(limitRows(all, 0).flatMap((group) => group.models.map((model) => model.id))).toEqual([
      'fast',
    ]);
  });

  it('are summarized by the first names', () => {
    expect(shortList(['a', 'b'])).toBe('a, b');
    expect(shortList(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
    expect(shortList([])).toBe('');
  });
});
