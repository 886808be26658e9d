import { describe, expect, it } from 'vitest';
import {
  ChatAccumulator,
  type ChatEnd,
  type ChatState,
  ThinkSplitter,
  toApiError,
} from '../../src/sse';

type Delta = Record<string, unknown>;

function chunk(delta: Delta, finish: string | null = null): string {
  return JSON.stringify({
    id: 'c1',
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
}

function run(...events: string[]): { end: ChatEnd; state: ChatState } {
  const chat = new ChatAccumulator();
  for (const event of events) if (!chat.push(event)) break;
  return { end: chat.finish(), state: chat.state };
}

describe('a streamed answer', () => {
  it('adds up text, usage and finish reason', () => {
    const { end, state } = run(
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'Hel' }),
      chunk({ content: 'lo' }, 'stop'),
      JSON.stringify({
        choices: [],
        usage: {
          prompt_tokens: 3,
          completion_tokens: 2,
          completion_tokens_details: { reasoning_tokens: 1 },
          prompt_tokens_details: { cached_tokens: 2 },
          cost: 0.001,
        },
      }),
      '[DONE]',
    );
    expect(end).toBe('complete');
    expect(state).toMatchObject({ id: 'c1', model: 'm', content: 'Hello', finishReason: 'stop' });
    expect(state.deltas).toBe(2);
    expect(state.usage).toEqual({
      input: 3,
      output: 2,
      total: 5,
      reasoning: 1,
      cached: 2,
      cacheWrite: null,
      unpriced: false,
    });
  });

  it.each(['reasoning_content', 'reasoning', 'thinking'])('reads reasoning from %s', (key) => {
    const { state } = run(
      chunk({ [key]: 'hm ' }),
      chunk({ [key]: 'so' }),
      chunk({ content: 'A' }, 'stop'),
    );
    expect(state).toMatchObject({ reasoning: 'hm so', content: 'A' });
  });

  it('reads reasoning once if a provider sends it under two names', () => {
    expect(run(chunk({ reasoning: 'a', reasoning_content: 'a' })).state.reasoning).toBe('a');
  });

  it('builds tool calls by index', () => {
    const call = (index: number, id: string | undefined, name: string | undefined, args: string) =>
      chunk({
        tool_calls: [
          { index, ...(id && { id }), function: { ...(name && { name }), arguments: args } },
        ],
      });
    const { state } = run(
      call(1, 'b', 'second', ''),
      call(0, 'a', 'first', '{"x"'),
      call(1, undefined, undefined, '{}'),
      call(0, undefined, undefined, ':1}'),
      chunk({}, 'tool_calls'),
    );
    expect(state.toolCalls.map((c) => [c.index, c.id, c.name, c.arguments])).toEqual([
      [0, 'a', 'first', '{"x":1}'],
      [1, 'b', 'second', '{}'],
    ]);
  });

  it('separates calls that share an index but not an id', () => {
    const { state } = run(
      chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: { x: 1 } } }] }),
      chunk(
        { tool_calls: [{ index: 0, id: 'b', function: { name: 'g', arguments: '{}' } }] },
        'tool_calls',
      ),
      chunk({ tool_calls: [{ index: 0, id: 'b', function: { arguments: '' } }] }),
    );
    expect(state.toolCalls.map((c) => [c.name, c.arguments])).toEqual([
      ['f', '{"x":1}'],
      ['g', '{}'],
    ]);
  });

  it('wu01: an empty finish reason is none', () => {
    const cut = run(chunk({ role: 'assistant', content: 'A' }, ''), chunk({ content: 'B' }, ''));
    expect(cut.end).toBe('cut');
    expect(cut.state).toMatchObject({ content: 'AB', finishReason: null });
    const call = { tool_calls: [{ index: 0, id: 't1', function: { name: 'f', arguments: '{}' } }] };
    const { end, state } = run(chunk(call, ''), chunk({}, 'tool_calls'), '[DONE]');
    expect(end).toBe('complete');
    expect(state.finishReason).toBe('tool_calls');
  });

  it.each([null, '', false, {}, []])('wu01: the error %j is none', (error) => {
    const event = JSON.stringify({ error, choices: [{ index: 0, delta: { content: 'A' } }] });
    expect(run(event, chunk({}, 'stop'))).toMatchObject({
      end: 'complete',
      state: { content: 'A', error: null },
    });
  });

  it('wu02: a piece without index and id belongs to the last call', () => {
    const get = (args: string, id?: string) =>
      chunk({ tool_calls: [{ ...(id && { id }), function: { name: 'get', arguments: args } }] });
    const { state } = run(
      get('{"city":', 'fc1'),
      chunk({ tool_calls: [{ function: { arguments: '"Oslo"}' } }] }),
      get('{"city":"Rome"}', 'fc2'),
      chunk({}, 'stop'),
    );
    expect(state.toolCalls.map((c) => c.arguments)).toEqual(['{"city":"Oslo"}', '{"city":"Rome"}']);
  });

  it.each([
    ['no index', {}, {}],
    ['the same index', { index: 0 }, { index: 0 }],
    ['an index as text', { index: '0' }, { index: '0' }],
    ['null in place of both', { index: null, id: null }, { index: null, id: null }],
  ])('wu02: two whole calls with %s are two', (_, first, second) => {
    const whole = (place: object, name: string, args: string) =>
      chunk({ tool_calls: [{ ...place, function: { name, arguments: args } }] });
    for (const name of ['get', 'put']) {
      const { state } = run(
        whole(first, 'get', '{"city":"Oslo"}'),
        whole(second, name, '{"city":"Rome"}'),
      );
      expect(state.toolCalls.map((c) => [c.name, c.arguments])).toEqual([
        ['get', '{"city":"Oslo"}'],
        [name, '{"city":"Rome"}'],
      ]);
    }
  });

  it('wu09: two whole calls in one delta are two', () => {
    const calls = ['a', 'b'].map((id) => ({
      index: 0,
      id,
      function: { name: 'f', arguments: '{}' },
    }));
    const without = calls.map(({ function: fn }) => ({ function: fn }));
    for (const list of [calls, without]) {
      const { state } = run(chunk({ tool_calls: list }), chunk({}, 'tool_calls'));
      expect(state.toolCalls.map((c) => [c.name, c.arguments])).toEqual([
        ['f', '{}'],
        ['f', '{}'],
      ]);
    }
  });

  it('wt01: pieces go by index, also with text between them', () => {
    const piece = (index: number, args: string, more = {}) =>
      chunk({ tool_calls: [{ index, ...more, function: { arguments: args } }] });
    const start = (index: number, id: string, name: string) =>
      chunk({ tool_calls: [{ index, id, function: { name, arguments: '' } }] });
    const { state } = run(
      start(0, 'a', 'f'),
      start(1, 'b', 'g'),
      piece(0, '{"x":1'),
      chunk({ content: ' ' }),
      piece(1, '{"y":2}', { id: 'b' }),
      piece(0, '}', { id: null, type: null }),
      chunk({ tool_calls: [{ index: 0, id: null, type: null, function: null }] }, 'tool_calls'),
    );
    expect(state.toolCalls.map((c) => [c.id, c.name, c.arguments, c.type])).toEqual([
      ['a', 'f', '{"x":1}', 'function'],
      ['b', 'g', '{"y":2}', 'function'],
    ]);
  });

  it('a repeated id and name, or an id for each piece, begins no new call', () => {
    const call = (id: string, name: string, args: string) =>
      chunk({ tool_calls: [{ index: 0, id, function: { name, arguments: args } }] });
    for (const events of [
      [call('a', 'f', '{"x":'), call('a', 'f', '1}'), call('a', 'f', '')],
      [call('a', 'f', '{"x":'), call('a2', '', '1}')],
      [call('', 'f', '{"x":'), call('', 'f', '1}'), call('', 'f', '')],
    ]) {
      const calls = run(...events).state.toolCalls.map((c) => [c.name, c.arguments]);
      expect(calls).toEqual([['f', '{"x":1}']]);
    }
  });

  it('wu11: chunks without choices, id or delta are no broken response', () => {
    const { end, state } = run(
      '{"id":"","object":"","choices":[],"prompt_filter_results":[],"usage":null}',
      chunk({ role: 'assistant', content: 'Hi' }),
      chunk({}, 'stop'),
      '{"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{}}]}',
      '{"id":"","choices":[]}',
      '{"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}',
      '[DONE]',
    );
    expect(end).toBe('complete');
    expect(state).toMatchObject({ content: 'Hi', error: null, usage: { input: 5, output: 2 } });
  });

  it('wm02: the last running total counts, and zeros behind it do not', () => {
    const total = (n: number) =>
      `{"choices":[],"usage":{"prompt_tokens":${n && 10},"completion_tokens":${n}}}`;
    for (const events of [
      [total(1), total(20), total(50)],
      [total(0), total(50), total(0), '{"usage":null}'],
      [total(50), '{"usage":{"prompt_tokens":10}}'],
      ['{"x_groq":{"usage":{"prompt_tokens":10,"completion_tokens":50}}}'],
    ]) {
      expect(run(...events).state.usage).toMatchObject({ input: 10, output: 50, total: 60 });
    }
    expect(run(total(0)).state.usage).toBeNull();
  });

  it('wm03: notices what has a price of its own', () => {
    const usage = (more: object, outer = {}) =>
      run(JSON.stringify({ ...outer, usage: { prompt_tokens: 9, completion_tokens: 1, ...more } }))
        .state.usage;
    const details = (more: object) => usage({ prompt_tokens_details: more });
    expect(details({ cache_write_tokens: 3904 })).toMatchObject({ cacheWrite: 3904 });
    for (const plain of [usage({}), usage({}, { service_tier: 'default' })]) {
      expect(plain?.unpriced).toBe(false);
    }
    for (const other of [
      usage({}, { service_tier: 'priority' }),
      details({ audio_tokens: 1 }),
      usage({ total_tokens: '10' }),
      usage({ server_tool_use: { web_search_requests: 1 } }),
    ]) {
      expect(other?.unpriced).toBe(true);
    }
  });

  it('keeps a refusal, text parts, and the first choice only', () => {
    const { state } = run(
      chunk({ refusal: 'No.' }),
      chunk({ content: [{ type: 'text', text: 'a' }, { type: 'other' }] }),
      JSON.stringify({ choices: [{ index: 1, delta: { content: 'zzz' } }, null] }),
    );
    expect(state).toMatchObject({ refusal: 'No.', content: 'a' });
  });

  it('ends on an error event, and ignores everything after it', () => {
    const { end, state } = run(
      chunk({ content: 'half' }),
      '{"error":{"message":"gone","type":"server_error","param":null,"code":"upstream_disconnected"}}',
      chunk({ content: 'more' }, 'stop'),
      '[DONE]',
    );
    expect(end).toBe('error');
    expect(state.content).toBe('half');
    expect(state.error).toEqual({
      message: 'gone',
      type: 'server_error',
      param: null,
      code: 'upstream_disconnected',
    });
  });

  it.each([
    ['no [DONE] and no finish reason', [chunk({ content: 'a' })], 'cut'],
    ['nothing at all', [], 'cut'],
    ['half an event', [chunk({ content: 'a' }), '{"choices":[{"del'], 'cut'],
    ['a broken event before [DONE]', ['oops', '[DONE]'], 'cut'],
    ['a finish reason, but no [DONE]', [chunk({ content: 'a' }, 'stop')], 'complete'],
    ['[DONE], but no finish reason', [chunk({ content: 'a' }), ' [DONE] '], 'complete'],
  ] as [string, string[], ChatEnd][])('with %s', (_, events, end) => {
    expect(run(...events).end).toBe(end);
  });
});

describe('a response that is not a stream', () => {
  const complete = (body: unknown) => {
    const chat = new ChatAccumulator();
    chat.complete(body);
    return { end: chat.finish(), state: chat.state };
  };

  it('is read like a stream', () => {
    const { end, state } = complete({
      choices: [
        {
          message: {
            content: '<think>hm</think>Hi',
            tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
          },
          finish_reason: 'stop',
        },
      ],
      usage: { input_tokens: 1, output_tokens: 2 },
    });
    expect(end).toBe('complete');
    expect(state).toMatchObject({ content: 'Hi', reasoning: 'hm', finishReason: 'stop' });
    expect(state.toolCalls[0]?.name).toBe('f');
    expect(state.usage?.total).toBe(3);
  });

  it('may be an error or invalid', () => {
    expect(complete({ error: { message: 'x' } }).end).toBe('error');
    expect(complete({ hello: 1 }).end).toBe('cut');
    expect(complete([1]).end).toBe('cut');
  });
});

describe('reasoning in the text', () => {
  const cases: [string, string, string][] = [
    ['<think>\nfirst\n</think>\n\nanswer', 'first', 'answer'],
    ['  <thinking>a < b</thinking>c', 'a < b', 'c'],
    ['<thought>x</thought>', 'x', ''],
    ['<think>never closed </thi', 'never closed </thi', ''],
    ['a <think>later</think> b', '', 'a <think>later</think> b'],
    ['<thin', '', '<thin'],
    ['<table>', '', '<table>'],
    ['<think></think>none', '', 'none'],
    ['plain', '', 'plain'],
  ];

  it.each(cases)('%s', (text, reasoning, content) => {
    for (let size = 1; size <= text.length; size++) {
      const think = new ThinkSplitter();
      const got = { content: '', reasoning: '' };
      const add = (part: { content: string; reasoning: string }) => {
        got.content += part.content;
        got.reasoning += part.reasoning;
      };
      for (let at = 0; at < text.length; at += size) add(think.push(text.slice(at, at + size)));
      add(think.end());
      expect(
        { content: got.content, reasoning: got.reasoning.trimEnd() },
        `pieces of ${size}`,
      ).toEqual({
        content,
        reasoning,
      });
    }
  });
});

describe('toApiError', () => {
  it.each([
    [{ error: { message: 'm', code: 7 } }, 'm', '7'],
    [{ error: 'text' }, 'text', null],
    [{ message: 'bare' }, 'bare', null],
    [null, 'The provider sent an error without a message.', null],
  ])('%j', (body, message, code) => {
    expect(toApiError(body)).toMatchObject({ message, code });
  });
});
