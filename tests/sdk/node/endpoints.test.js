// Every endpoint, as the SDK calls it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NotFoundError } from 'openai';

import { KEY } from './gateway.js';
import { ask, clientFor, prepare, seenOf } from './setup.js';
import { EMBEDDING, SOUND } from './upstream.js';

prepare();

const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];

test('chat', async (t) => {
  const answer = await ask(clientFor(t), 'chat', { temperature: 0.5, x_unknown: { deep: [1, 2] } });
  assert.equal(answer.choices[0].message.content, 'Hello there');
  assert.equal(answer.usage.total_tokens, 18);
  const [seen] = seenOf(t);
  assert.equal(seen.body.model, 'real');
  assert.deepEqual(seen.body.x_unknown, { deep: [1, 2] });
  assert.equal(seen.headers.authorization, 'Bearer upstream-key');
  assert.ok(!JSON.stringify(seen).includes(KEY));
  assert.match(seen.headers['user-agent'], /^OpenAI\/JS/);
});

test('chat with tools', async (t) => {
  const answer = await ask(clientFor(t), 'chat', { tools });
  const [call] = answer.choices[0].message.tool_calls;
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(call.function, { name: 'weather', arguments: '{"city":"Oslo"}' });
});

test('any model of a provider', async (t) => {
  await ask(clientFor(t), 'up/some/model');
  assert.equal(seenOf(t)[0].body.model, 'some/model');
});

test('embeddings', async (t) => {
  for (const more of [{}, { encoding_format: 'float' }]) {
    const answer = await clientFor(t).embeddings.create({ model: 'chat', input: 'words', ...more });
    assert.deepEqual(answer.data[0].embedding, EMBEDDING);
  }
});

test('responses', async (t) => {
  const answer = await clientFor(t).responses.create({ model: 'chat', input: 'hi' });
  assert.equal(answer.output_text, 'Hello there');
});

test('moderations', async (t) => {
  const answer = await clientFor(t).moderations.create({ model: 'chat', input: 'words' });
  assert.equal(answer.results[0].flagged, true);
});

test('images', async (t) => {
  const answer = await clientFor(t).images.generate({ model: 'chat', prompt: 'a picture' });
  assert.equal(answer.data[0].b64_json, 'cGljdHVyZQ==');
});

test('speech', async (t) => {
  const answer = await clientFor(t).audio.speech.create({ model: 'chat', voice: 'alloy', input: 'words' });
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), SOUND);
});

test('legacy completions', async (t) => {
  const answer = await clientFor(t).completions.create({ model: 'chat', prompt: 'hi' });
  assert.equal(answer.choices[0].text, 'Hello there');
});

test('models', async (t) => {
  const { data } = await clientFor(t).models.list();
  assert.deepEqual(data.map(({ id, object, owned_by }) => [id, object, owned_by]), [['chat', 'model', 'up']]);
  assert.equal((await clientFor(t).models.retrieve('chat')).id, 'chat');
  await assert.rejects(clientFor(t).models.retrieve('nothing'), NotFoundError);
});

test('request ids', async (t) => {
  const answer = await ask(clientFor(t));
  assert.equal(answer._request_id, 'req_upstream');
  const { response, data } = await ask(clientFor(t)).withResponse();
  assert.equal(response.headers.get('x-request-id'), 'req_upstream');
  assert.ok(response.headers.get('x-trunkline-request-id'));
  assert.equal(data.choices[0].message.content, 'Hello there');
});

test('many at once', async (t) => {
  const client = clientFor(t);
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(client)));
  assert.deepEqual(new Set(answers.map((answer) => answer.choices[0].message.content)), new Set(['Hello there']));
});
