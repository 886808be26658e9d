// Every endpoint, as the SDK calls it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NotFoundError } from 'openai';

import { KEY } from './gateway.js';
import { ask, clientFor, prepare, requestsOf } from './setup.js';
import { EMBEDDING, SOUND } from './upstream.js';

prepare();

const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];

test('chat', async (t) => {
  const response = await ask(clientFor(t), 'chat', { temperature: 0.5, x_unknown: { deep: [1, 2] } });
  assert.equal(response.choices[0].message.content, 'Hello there');
  assert.equal(response.usage.total_tokens, 18);
  const [request] = requestsOf(t);
  assert.equal(request.body.model, 'real');
  assert.deepEqual(request.body.x_unknown, { deep: [1, 2] });
  assert.equal(request.headers.authorization, 'Bearer upstream-key');
  assert.ok(!JSON.stringify(request).includes(KEY));
  assert.match(request.headers['user-agent'], /^OpenAI\/JS/);
});

test('chat with tools', async (t) => {
  const response = await ask(clientFor(t), 'chat', { tools });
  const [call] = response.choices[0].message.tool_calls;
  assert.equal(response.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(call.function, { name: 'weather', arguments: '{"city":"Oslo"}' });
});

test('any model of a provider', async (t) => {
  await ask(clientFor(t), 'up/some/model');
  assert.equal(requestsOf(t)[0].body.model, 'some/model');
});

test('embeddings', async (t) => {
  for (const more of [{}, { encoding_format: 'float' }]) {
    const response = await clientFor(t).embeddings.create({ model: 'chat', input: 'text', ...more });
    assert.deepEqual(response.data[0].embedding, EMBEDDING);
  }
});

test('responses', async (t) => {
  const response = await clientFor(t).responses.create({ model: 'chat', input: 'hi' });
  assert.equal(response.output_text, 'Hello there');
});

test('moderations', async (t) => {
  const response = await clientFor(t).moderations.create({ model: 'chat', input: 'text' });
  assert.equal(response.results[0].flagged, true);
});

test('images', async (t) => {
  const response = await clientFor(t).images.generate({ model: 'chat', prompt: 'a picture' });
  assert.equal(response.data[0].b64_json, 'cGljdHVyZQ==');
});

test('speech', async (t) => {
  const response = await clientFor(t).audio.speech.create({ model: 'chat', voice: 'alloy', input: 'text' });
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), SOUND);
});

test('legacy completions', async (t) => {
  const response = await clientFor(t).completions.create({ model: 'chat', prompt: 'hi' });
  assert.equal(response.choices[0].text, 'Hello there');
});

test('models', async (t) => {
  const { data } = await clientFor(t).models.list();
  assert.deepEqual(data.map(({ id, object, owned_by }) => [id, object, owned_by]), [['chat', 'model', 'up']]);
  assert.equal((await clientFor(t).models.retrieve('chat')).id, 'chat');
  await assert.rejects(clientFor(t).models.retrieve('nothing'), NotFoundError);
});

test('request ids', async (t) => {
  const response = await ask(clientFor(t));
  assert.equal(response._request_id, 'req_upstream');
  const { response: raw, data } = await ask(clientFor(t)).withResponse();
  assert.equal(raw.headers.get('x-request-id'), 'req_upstream');
  assert.ok(raw.headers.get('x-trunkline-request-id'));
  assert.equal(data.choices[0].message.content, 'Hello there');
});

test('many at once', async (t) => {
  const client = clientFor(t);
  const responses = await Promise.all(Array.from({ length: 40 }, () => ask(client)));
  assert.deepEqual(new Set(responses.map((response) => response.choices[0].message.content)), new Set(['Hello there']));
});
