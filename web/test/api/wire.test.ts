import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { costOf, estimateTokens, speedOf } from '../../src/api/metrics';
import { chatRequest } from '../../src/api/wire';
import type { Message } from '../../src/store/types';

function message(role: 'user' | 'assistant', text: string, patch: Partial<Message> = {}): Message {
  return { id: text, parent: '', role, at: 0, state: 'done', text, ...patch };
}

describe('the request', () => {
  it('contains the system prompt, the messages and the parameters', async () => {
    const path = [message('user', 'Hello'), message('assistant', 'Hi'), message('user', 'Bye')];
    const params = { system: 'Be brief.', temperature: 0, maxTokens: 5 };
    expect(await chatRequest('m', path, params)).toEqual({
      model: 'm',
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0,
      max_tokens: 5,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hi' },
        { role: 'user', content: 'Bye' },
      ],
    });
  });

  it('leaves out an answer without text', async () => {
    const path = [message('user', 'a'), message('assistant', ''), message('user', 'b')];
    expect((await chatRequest('m', path, {})).messages).toHaveLength(2);
  });

  it('puts a text file in a fence that it cannot close', async () => {
    const text = 'a\n````\nb';
    const file = { id: 'f', kind: 'text' as const, name: 'x.md', mime: '', bytes: 9, text };
    const request = await chatRequest('m', [message('user', 'Read', { attachments: [file] })], {});
    expect(request.messages[0]?.content).toBe('x.md\n`````\na\n````\nb\n`````\n\nRead');
  });

  it('leaves out an image that no longer exists', async () => {
    const image = { id: 'gone', kind: 'image' as const, name: 'x.png', mime: '', bytes: 9 };
    const request = await chatRequest('m', [message('user', 'See', { attachments: [image] })], {});
    expect(request.messages[0]?.content).toEqual([{ type: 'text', text: 'See' }]);
  });
});

describe('figures', () => {
  it('counts tokens per second after the first', () => {
    expect(speedOf({ outputTokens: 101, firstTokenMs: 500, totalMs: 1500 })).toBe(100);
    expect(speedOf({ outputTokens: 101, firstTokenMs: 500, totalMs: 500 })).toBeUndefined();
    expect(speedOf({ outputTokens: 1, firstTokenMs: 0, totalMs: 1000 })).toBeUndefined();
    expect(speedOf(undefined)).toBeUndefined();
    // A connection that ends late is no slower answer, and what was thought unseen no faster one.
    const times = { firstTokenMs: 500, lastTokenMs: 1500, totalMs: 9000 };
    expect(speedOf({ ...times, outputTokens: 101 })).toBe(100);
    expect(speedOf({ ...times, outputTokens: 5101, streamedTokens: 101 })).toBe(100);
    expect(speedOf({ ...times, outputTokens: 101, suspended: true })).toBeUndefined();
  });

  const price = {
    input_per_million: '0.15',
    cached_input_per_million: '0.075',
    output_per_million: '0.60',
  };
  const used = {
    input: 1_000_000,
    output: 500_000,
    total: 1_500_000,
    reasoning: null,
    cached: null,
    cacheWrite: null,
    unpriced: false,
  };

  it('has a cost only if the prices are known', () => {
    expect(costOf(price, used)).toBeCloseTo(0.45);
    expect(costOf({ ...price, output_per_million: null }, used)).toBeUndefined();
    expect(costOf(null, used)).toBeUndefined();
  });

  it('applies the price of cached tokens, and counts separate reasoning tokens', () => {
    expect(costOf(price, { ...used, cached: 400_000 })).toBeCloseTo(0.42);
    expect(costOf(price, { ...used, total: 2_000_000 })).toBeCloseTo(0.75);
    const apart = { ...used, output: 100_000, total: null, reasoning: 400_000 };
    expect(costOf(price, apart)).toBeCloseTo(0.45);
  });

  it('wm03: has a cost only if each kind of token has a price', () => {
    const written = { ...used, cacheWrite: 200_000 };
    expect(costOf(price, written)).toBeUndefined();
    expect(costOf({ ...price, cache_write_per_million: '0.30' }, written)).toBeCloseTo(0.48);
    expect(costOf(price, { ...used, unpriced: true })).toBeUndefined();
    expect(costOf(price, { ...used, cached: 2_000_000 })).toBeUndefined();
    expect(costOf(price, { ...used, input: null })).toBeUndefined();
    expect(costOf(price, { ...used, output: null, total: null })).toBeUndefined();
  });

  it('applies the prices of a long prompt to all of it', () => {
    const doubled = {
      input_per_million: '0.30',
      cached_input_per_million: '0.15',
      output_per_million: '1.20',
    };
    const long = { ...price, long_prompt: { above: 999_999, ...doubled } };
    expect(costOf(long, used)).toBeCloseTo(0.9);
    const short = { ...price, long_prompt: { above: 1_000_000, ...doubled } };
    expect(costOf(short, used)).toBeCloseTo(0.45);
  });

  it('estimates tokens', () => {
    expect(estimateTokens('four letters')).toBe(3);
  });
});
