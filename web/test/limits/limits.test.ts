import { describe, expect, it } from 'vitest';
import { responseFault } from '../../src/api/faults';
import { parseLimits } from '../../src/limits/own-limits';
import { limitText, quotaName, whenText } from '../../src/limits/text';

const DETAILS = {
  rule: 'each-key',
  subject: 'key alice',
  of: 'tokens',
  period: 'minute',
  limit: '200000',
  used: '198500',
  requested: '4200',
};

function refusal(status: number, code: string, limit?: object, headers: HeadersInit = {}) {
  const body = JSON.stringify({ error: { message: 'No.', type: 'tokens', code, limit } });
  return responseFault(new Response(body, { status, headers }), 1000);
}

describe('a refusal by a limit', () => {
  it.each([
    [429, 'rate_limit_exceeded', 'limit'],
    [429, 'insufficient_quota', 'quota'],
    [403, 'blocked', 'blocked'],
    [400, 'request_exceeds_limit', 'exceeds'],
  ])('%i %s is of kind %s', async (status, code, kind) => {
    const fault = await refusal(status, code, DETAILS);
    expect(fault).toMatchObject({ kind, limit: DETAILS });
  });

  it.each([
    [429, 'rate_limit_exceeded', 'rate'],
    [429, 'insufficient_quota', 'payment'],
    [403, 'unmetered_endpoint', 'unmetered'],
    [403, 'unpriced_model', 'unmetered'],
  ])('%i %s without a limit is of kind %s', async (status, code, kind) => {
    expect((await refusal(status, code)).kind).toBe(kind);
    expect((await refusal(status, code)).limit).toBeUndefined();
  });

  it('comes back when the response says so, as exactly as it does', async () => {
    const headers = { 'retry-after': '2', 'retry-after-ms': '1200' };
    const rate = await refusal(429, 'rate_limit_exceeded', DETAILS, headers);
    expect(rate.retryAt).toBe(2200);
    const seconds = await refusal(429, 'rate_limit_exceeded', DETAILS, { 'retry-after': '2' });
    expect(seconds.retryAt).toBe(3000);
    const spent = { ...DETAILS, of: 'budget', resets_at: '2026-12-01T00:00:00Z' };
    const quota = await refusal(429, 'insufficient_quota', spent);
    expect(quota.retryAt).toBe(Date.parse('2026-12-01T00:00:00Z'));
    expect((await refusal(429, 'insufficient_quota', DETAILS)).retryAt).toBeUndefined();
    // A blocked key is not free again when the amount begins anew: it is 0.
    expect((await refusal(403, 'blocked', spent)).retryAt).toBeUndefined();
  });

  it('survives details of another shape', async () => {
    for (const limit of [null, 'each-key', [], { rule: 7 }]) {
      const fault = await refusal(429, 'rate_limit_exceeded', limit as object);
      expect(fault.kind).toBe('rate');
    }
    const numbers = { rule: 'r', of: 'requests', limit: 10, used: 10 };
    expect((await refusal(429, 'rate_limit_exceeded', numbers)).limit).toEqual({
      rule: 'r',
      subject: '',
      of: 'requests',
      limit: '10',
      used: '10',
    });
  });
});

describe('the limits of the caller', () => {
  it('are read from decimal text', () => {
    const amount = {
      of: 'budget',
      period: 'month',
      limit: '50',
      used: '41.37',
      reserved: '0.5',
      remaining: '8.63',
      resets_at: '2026-12-01T00:00:00Z',
    };
    const body = {
      limits: [
        {
          rule: 'team',
          subject: 'team web',
          model: 'fast',
          user: 'u1',
          provider: 'alpha',
          amounts: [amount],
        },
      ],
    };
    expect(parseLimits(body)).toEqual([
      {
        rule: 'team',
        subject: 'team web',
        model: 'fast',
        user: 'u1',
        provider: 'alpha',
        amounts: [
          {
            of: 'budget',
            period: 'month',
            limit: 50,
            used: 41.37,
            reserved: 0.5,
            remaining: 8.63,
            resetsAt: Date.parse('2026-12-01T00:00:00Z'),
          },
        ],
      },
    ]);
  });

  it('are told from those that only count', () => {
    const amounts = [{ of: 'tokens', limit: '5', used: '1' }];
    const rows = [true, false, undefined].map((observes) => ({ rule: 'a', observes, amounts }));
    const limits = parseLimits({ limits: rows });
    expect(limits.map(({ observes }) => observes)).toEqual([true, undefined, undefined]);
  });

  it('are nothing where the body is of another shape', () => {
    for (const body of [null, [], 'limits', { limits: {} }, { limits: [null, { rule: 'a' }] }]) {
      expect(parseLimits(body)).toEqual([]);
    }
    const rows = [
      { of: 'tokens', limit: '', used: '1' },
      { of: 'tokens', limit: 'many', used: '1' },
    ];
    expect(parseLimits({ limits: [{ rule: 'a', amounts: rows }] })).toEqual([]);
  });
});

describe('words', () => {
  it('name an amount and its period', () => {
    expect(quotaName('input_tokens', 'minute')).toBe('input tokens per minute');
    expect(quotaName('requests', 'total')).toBe('requests in total');
    expect(quotaName('concurrent', undefined)).toBe('requests at a time');
    expect(limitText('budget', 'month', 10)).toBe('$10.00 per month');
    expect(limitText('budget', 'total', 0.5)).toBe('$0.50 in total');
    expect(limitText('concurrent', undefined, 3)).toBe('3 requests at a time');
    expect(limitText('requests', 'minute', 1)).toBe('1 request per minute');
  });

  it('count down to a near time, and name a far one', () => {
    const now = new Date(2026, 10, 30, 22, 30).getTime();
    const at = (...parts: [number, number, number, number, number]) => new Date(...parts).getTime();
    expect(whenText(now + 12_000, now)).toBe('in 12 s');
    expect(whenText(now - 5000, now)).toBe('in 1 s');
    expect(whenText(at(2026, 10, 30, 23, 45), now)).toMatch(/^at .*45/);
    expect(whenText(at(2026, 11, 1, 0, 0), now)).toMatch(/^tomorrow at /);
    expect(whenText(at(2026, 11, 24, 0, 0), now)).toMatch(/^on .*2026/);
  });
});
