// A streamed tool call through a translation: Anthropic's SDK with a Chat
// Completions upstream.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { Upstream } from '../upstream.js';
import { CLIENT_KEY, HEAD, prepareWith, suite, UPSTREAM_KEY } from './setup.js';

prepareWith(async () => ({ chats: await Upstream.start() }), ({ chats }) => `
${HEAD}
[providers.chats]
base_url = "${chats.baseURL}"
api_key = "${UPSTREAM_KEY}"
[models.gpt]
provider = "chats"
model = "real"
`);

test('a streamed tool call', async () => {
  const client = new Anthropic({ baseURL: suite.origin, apiKey: CLIENT_KEY, maxRetries: 0 });
  const message = await client.messages.stream({
    model: 'gpt',
    max_tokens: 64,
    messages: [{ role: 'user', content: 'How is the weather in Oslo?' }],
    tools: [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }],
  }).finalMessage();
  assert.equal(message.stop_reason, 'tool_use');
  const call = message.content.find((block) => block.type === 'tool_use');
  assert.deepEqual([call.name, call.input], ['weather', { city: 'Oslo' }]);
});
