// The Vercel AI SDK: a streamed chat that calls a tool, through Trunkline.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

import { KEY } from './gateway.js';
import { prepare, suite } from './setup.js';

prepare();

const providers = {
  '@ai-sdk/openai': (options) => createOpenAI(options).chat('chat'),
  '@ai-sdk/openai-compatible': (options) => createOpenAICompatible({ name: 'trunkline', ...options })('chat'),
};

for (const [name, model] of Object.entries(providers)) {
  test(`${name} streams a tool call`, async () => {
    const cities = [];
    const weather = tool({
      description: 'The weather in a city',
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => {
        cities.push(city);
        return '12 °C';
      },
    });
    const { textStream } = streamText({
      model: model({ baseURL: suite.baseURL, apiKey: KEY }),
      prompt: 'How is the weather in Oslo?',
      tools: { weather },
      stopWhen: stepCountIs(2),
      maxRetries: 0,
      onError: ({ error }) => assert.fail(error),
    });
    let text = '';
    for await (const delta of textStream) text += delta;
    assert.equal(text, 'Hello thère');
    assert.deepEqual(cities, ['Oslo']);
  });
}
