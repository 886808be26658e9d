// Streams: complete, with tools, with usage, cut, failing, closed early.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { APIError } from 'openai';

import { ask, clientFor, prepare, suite } from './setup.js';

prepare();

const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];

/** All parts of a stream, and the error that ended it, if one did. */
async function read(stream) {
  const parts = [];
  try {
    for await (const part of stream) parts.push(part);
  } catch (error) {
    return { parts, error };
  }
  return { parts };
}

const contents = (parts) => parts.map((part) => part.choices[0]?.delta.content).filter(Boolean);

test('a stream', async (t) => {
  const { parts, error } = await read(await ask(clientFor(t), 'chat', { stream: true }));
  assert.equal(error, undefined);
  assert.deepEqual(contents(parts), ['Hello ', 'thère']);
  assert.equal(parts.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(parts.every((part) => !part.usage), 'usage that was not requested');
});

test('a stream with usage', async (t) => {
  const { parts } = await read(await ask(clientFor(t), 'chat', { stream: true, stream_options: { include_usage: true } }));
  assert.deepEqual(parts.at(-1).choices, []);
  assert.equal(parts.at(-1).usage.total_tokens, 18);
});

test('a stream with tools', async (t) => {
  const { parts } = await read(await ask(clientFor(t), 'chat', { stream: true, tools }));
  const calls = parts.flatMap((part) => part.choices[0].delta.tool_calls ?? []);
  assert.equal(calls[0].function.name, 'weather');
  assert.equal(calls.map((call) => call.function.arguments).join(''), '{"city":"Oslo"}');
});

test('the stream helper', async (t) => {
  const stream = clientFor(t).chat.completions.stream({ model: 'chat', messages: [{ role: 'user', content: 'hi' }] });
  assert.equal(await stream.finalContent(), 'Hello thère');
});

test('a stream of responses', async (t) => {
  const { parts } = await read(await clientFor(t).responses.create({ model: 'chat', input: 'hi', stream: true }));
  assert.deepEqual(parts.map((event) => event.type), [
    'response.created', 'response.output_text.delta', 'response.output_text.delta', 'response.completed',
  ]);
});

test('a stream cut between events', async (t) => {
  const { parts, error } = await read(await ask(clientFor(t), 'up/cut-between', { stream: true }));
  assert.deepEqual(contents(parts), ['Hello']);
  assert.ok(error instanceof APIError, `${error}`);
  assert.equal(error.code, 'upstream_disconnected');
});

test('a stream cut inside an event', async (t) => {
  const { parts, error } = await read(await ask(clientFor(t), 'up/cut-inside', { stream: true }));
  assert.deepEqual(contents(parts), ['Hello']);
  assert.ok(error, 'a cut stream looks complete');
});

test('an upstream error in a stream', async (t) => {
  const { parts, error } = await read(await ask(clientFor(t), 'up/failing', { stream: true }));
  assert.deepEqual(contents(parts), ['Hello']);
  assert.ok(error instanceof APIError, `${error}`);
  assert.equal(error.code, 'overloaded');
});

test('a closed stream ends upstream', async (t) => {
  for (const close of ['break', 'abort']) {
    const disconnected = once(suite.upstream, 'disconnected', { signal: AbortSignal.timeout(30_000) });
    const stream = await ask(clientFor(t), 'up/endless', { stream: true });
    for await (const part of stream) {
      assert.equal(part.choices[0].delta.content, 'Hello');
      if (close === 'break') break;
      stream.controller.abort();
    }
    await disconnected;
  }
});
