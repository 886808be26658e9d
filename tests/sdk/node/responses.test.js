// Responses at a provider that speaks Chat Completions only, and failures of native ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createOpenAI } from '@ai-sdk/openai';
import { stepCountIs, streamText, tool } from 'ai';
import { APIError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';

import { KEY } from './gateway.js';
import { clientFor, prepare, requestsOf, suite } from './setup.js';

prepare();

/** Ends in a chat stream, in the middle of an event, or with an error; the last is not translated. */
const FAILING = ['plain/failing', 'plain/cut-between', 'plain/cut-inside', 'up/cut-between'];

test('the stream helper', async (t) => {
  const stream = clientFor(t).responses.stream({ model: 'plain/real', input: 'hi' });
  let text = '';
  stream.on('response.output_text.delta', ({ delta }) => { text += delta; });
  const response = await stream.finalResponse();
  assert.equal(response.output_text, 'Hello thère');
  assert.equal(text, 'Hello thère');
  assert.equal(response.usage.total_tokens, 18);
});

test('the parse helper', async (t) => {
  const format = zodTextFormat(z.object({ city: z.string() }), 'place');
  const client = clientFor(t);
  const response = await client.responses.parse({ model: 'plain/city-1', input: 'where?', text: { format } });
  assert.deepEqual(response.output_parsed, { city: 'Oslo' });
});

test('a custom tool is called', async (t) => {
  const request = {
    model: 'plain/patch-1', input: [{ role: 'user', content: 'patch!' }], store: false,
    tools: [{ type: 'custom', name: 'apply_patch' }],
  };
  const client = clientFor(t);
  const { output } = await client.responses.stream(request).finalResponse();
  assert.deepEqual(output.map(({ type }) => type), ['reasoning', 'message', 'custom_tool_call']);
  assert.equal(output[0].summary[0].text, 'Let me see.');
  assert.equal(output[2].name, 'apply_patch');
  assert.equal(output[2].input, '+café\n');
  const result = { type: 'custom_tool_call_output', call_id: output[2].call_id, output: 'Done' };
  await client.responses.create({ ...request, input: [...request.input, ...output, result] });
  assert.equal(requestsOf(t).at(-1).body.messages.at(-1).tool_call_id, 'call_0123456789abcdef');
});

for (const model of FAILING) {
  test(`${model} is an error`, async (t) => {
    const events = [];
    await assert.rejects(async () => {
      const stream = await clientFor(t).responses.create({ model, input: 'hi', stream: true });
      for await (const event of stream) events.push(event.type);
    }, APIError);
    assert.ok(!events.includes('response.completed'));
  });
}

for (const store of [true, false]) {
  test(`the AI SDK streams a tool call, store: ${store}`, async () => {
    const cities = [];
    const weather = tool({
      description: 'The weather in a city',
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => {
        cities.push(city);
        return '12 °C';
      },
    });
    const errors = [];
    const result = streamText({
      model: createOpenAI({ baseURL: suite.baseURL, apiKey: KEY }).responses('plain/real'),
      prompt: 'How is the weather in Oslo?',
      tools: { weather },
      providerOptions: { openai: { store } },
      stopWhen: stepCountIs(2),
      maxRetries: 0,
      onError: ({ error }) => errors.push(error),
    });
    let text = '';
    for await (const delta of result.textStream) text += delta;
    assert.deepEqual(errors, []);
    assert.deepEqual(cities, ['Oslo']);
    assert.equal(text, 'Hello thère');
  });
}

for (const model of FAILING) {
  test(`${model} is an error of the AI SDK`, async () => {
    const errors = [];
    const result = streamText({
      model: createOpenAI({ baseURL: suite.baseURL, apiKey: KEY }).responses(model),
      prompt: 'hi',
      maxRetries: 0,
      onError: ({ error }) => errors.push(error),
    });
    for await (const _ of result.textStream);
    assert.notEqual(errors.length, 0);
  });
}

test('the AI SDK shows the thinking', async () => {
  const result = streamText({
    model: createOpenAI({ baseURL: suite.baseURL, apiKey: KEY }).responses('plain/patch-1'),
    prompt: 'hi',
    tools: { weather: tool({ inputSchema: z.object({}) }) },
    maxRetries: 0,
    onError: ({ error }) => assert.fail(error),
  });
  assert.equal(await result.reasoningText, 'Let me see.');
});
