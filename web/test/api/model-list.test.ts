import { describe, expect, it } from 'vitest';
import { modelsOf } from '../../src/api/gateway';
import { listedIn, withListed } from '../../src/api/listed';
import type { GatewayStatus } from '../../src/api/types';
import { few } from '../../src/app/format';
import { first, grouped } from '../../src/app/model/useModel';

const none = { count: 0, p50: null, p95: null };
const counts = { in_flight: 0, total: 0, failed: 0 };
const provider = { ready: true, missing: null, ...counts, first_byte_ms: none, last_fault: null };
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
  it('stand behind those of the status, and fare as their provider does', () => {
    const models = withListed(modelsOf(status), listedIn(body(2)), status);
    expect(models.map((each) => each.id)).toEqual(['fast', 'big/m0', 'big/m1']);
    expect(models[0]?.upstreamModel).toBe('m1');
    expect(models[1]).toMatchObject({ provider: 'big', ready: true, state: 'failing' });
  });

  it('change nothing where there are none', () => {
    const known = modelsOf(status);
    expect(withListed(known, [], status)).toBe(known);
    for (const odd of [null, [], { data: 7 }, { data: [7, null] }]) {
      expect(listedIn(odd)).toEqual([]);
    }
  });

  it('are found among hundreds, of which so many are drawn', () => {
    const models = withListed(modelsOf(status), listedIn(body(400)), status);
    const all = grouped(models, '');
    expect(first(all, 200).flatMap((group) => group.models)).toHaveLength(200);
    const found = first(grouped(models, 'BIG m399'), 200);
    expect(found.map((group) => group.models.map((each) => each.id))).toEqual([['big/m399']]);
    // What was set up is never crowded out.
    expect(first(all, 0).flatMap((group) => group.models.map((each) => each.id))).toEqual(['fast']);
  });

  it('are named by the first few', () => {
    expect(few(['a', 'b'])).toBe('a, b');
    expect(few(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
    expect(few([])).toBe('');
  });
});
