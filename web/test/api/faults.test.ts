import { describe, expect, it } from 'vitest';
import {
  faultKind,
  networkFault,
  responseFault,
  retryAfter,
  streamFault,
} from '../../src/api/faults';
import { faultText } from '../../src/app/chat/fault-text';
import type { FaultKind } from '../../src/store/types';

function answer(status: number, error: object | string, headers: Record<string, string> = {}) {
  const body = typeof error === 'string' ? error : JSON.stringify({ error });
  return new Response(body, { status, headers });
}

describe('the kind of an error', () => {
  const cases: [number, string | null, FaultKind][] = [
    [401, 'invalid_api_key', 'key'],
    [402, null, 'payment'],
    [403, 'forbidden_origin', 'forbidden'],
    [404, 'model_not_found', 'model'],
    [413, 'request_too_large', 'too-large'],
    [429, 'rate_limit_exceeded', 'rate'],
    [429, 'insufficient_quota', 'payment'],
    [400, 'invalid_value', 'request'],
    [422, null, 'request'],
    [500, null, 'server'],
    [529, null, 'server'],
    [502, 'upstream_connect_failed', 'upstream'],
    [502, 'upstream_auth_failed', 'upstream-key'],
    [503, 'upstream_not_configured', 'setup'],
    [503, 'overloaded', 'overloaded'],
    [503, 'server_shutting_down', 'overloaded'],
    [504, 'upstream_timeout', 'timeout'],
    [504, null, 'timeout'],
  ];
  it.each(cases)('%i %s: %s', (status, code, kind) => {
    expect(faultKind(status, code)).toBe(kind);
  });

  it('has a unique title and cause', () => {
    const kinds = [
      ...new Set(cases.map(([, , kind]) => kind)),
      'cut',
      'in-stream',
      'offline',
      'empty',
    ];
    const titles = kinds.map((kind) => faultText({ kind: kind as FaultKind, message: '' }).title);
    expect(new Set(titles).size).toBe(kinds.length);
  });
});

describe('the error of a response', () => {
  it('has all the data to identify the request', async () => {
    const headers = {
      'x-trunkline-request-id': 'req-1',
      'x-trunkline-provider': 'groq',
      'retry-after': '12',
    };
    const error = { message: 'Slow down.', type: 'requests', param: null, code: 'rate_limit' };
    const fault = await responseFault(answer(429, error, headers), 1000);
    expect(fault).toMatchObject({
      kind: 'rate',
      message: 'Slow down.',
      status: 429,
      code: 'rate_limit',
      type: 'requests',
      requestId: 'req-1',
      provider: 'groq',
      retryAt: 13_000,
    });
    expect(fault.param).toBeUndefined();
  });

  it('names the missing variable', async () => {
    const error = { message: 'groq needs GROQ_API_KEY.', code: 'upstream_not_configured' };
    expect((await responseFault(answer(503, error))).missing).toBe('GROQ_API_KEY');
  });

  it.each(['<html>Bad gateway</html>', '', '[]', '{"error":null}', '{"detail":"x"}'])(
    'survives the body %j',
    async (body) => {
      const fault = await responseFault(answer(502, body));
      expect(fault.kind).toBe('upstream');
      expect(fault.message).not.toBe('');
    },
  );

  it('truncates the body', async () => {
    expect((await responseFault(answer(500, 'x'.repeat(100_000)))).raw?.length).toBe(4000);
  });

  it('distinguishes an interrupted stream from a network failure', () => {
    expect(streamFault({ message: 'm', type: null, code: 'upstream_stalled' }).kind).toBe(
      'in-stream',
    );
    expect(networkFault(true).message).not.toBe(networkFault(false).message);
  });
});

describe('retry-after', () => {
  it.each([
    ['3', 4000],
    ['0', 1000],
    ['Thu, 01 Jan 1970 00:00:05 GMT', 5000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', undefined],
    ['-3', undefined],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j', (value, at) => {
    expect(retryAfter(value, 1000)).toBe(at);
  });
});
