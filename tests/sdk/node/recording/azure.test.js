// The SDK's class for Azure, with both forms of its paths.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI, { AzureOpenAI } from 'openai';

import { comparables } from './compare.js';
import { resultOf } from './results.js';
import { call, calls, methods, table } from './methods.js';
import { CLIENT_KEY, compare, direct, MODEL, prepare, suite, through, UPSTREAM_KEY } from './setup.js';

prepare();

const VERSION = '2025-04-01-preview';
const TABLE = table('openai');
const METHODS = methods(new OpenAI({ apiKey: 'none' }));
// The methods below /openai/deployments/{model}, and some of those below /openai.
const CALLED = [
  'audio.speech.create', 'audio.transcriptions.create', 'chat.completions.create', 'completions.create', 'embeddings.create',
  'images.edit', 'images.generate', 'batches.create', 'files.content', 'files.create', 'files.list', 'responses.create', 'vector_stores.search',
];

const azure = (origin, apiKey, more = {}) => new AzureOpenAI({ endpoint: origin, apiKey, apiVersion: VERSION, maxRetries: 0, ...more });

/** The request that Trunkline must send to an upstream other than Azure. */
function toOpenAI(request) {
  const path = request.target.replace(/^\/openai(\/deployments\/[^/]+)?/, '/v1');
  const rest = path.replace(new RegExp(`[?&]api-version=${VERSION}(?=&|$)`), '');
  const target = rest.includes('?') ? rest : rest.replace('&', '?');
  const { 'api-key': [key], ...fields } = request.fields;
  return { ...request, target, fields: { ...fields, authorization: [`Bearer ${key}`] } };
}

for (const name of CALLED) {
  test(`with a version: ${name}`, async () => {
    const sides = [[azure(suite.provider1.origin, UPSTREAM_KEY), MODEL], [azure(suite.origin, CLIENT_KEY), 'chat']];
    for (const given of calls(TABLE[name])) {
      const seen = [];
      const results = [];
      for (const [client, model] of sides) {
        suite.provider1.take();
        results.push(await resultOf(call(client, METHODS.get(name), given, model)));
        seen.push(suite.provider1.take());
      }
      assert.deepEqual(comparables(seen[1]), comparables(seen[0].map(toOpenAI)));
      assert.deepEqual(results[1], results[0]);
    }
  });
}

test('a deployment of the client', async () => {
  const client = azure(suite.origin, CLIENT_KEY, { deployment: 'chat' });
  suite.provider1.take();
  await client.chat.completions.create({ model: 'whatever', messages: [] });
  const [{ target, body }] = suite.provider1.take();
  assert.equal(target, '/v1/chat/completions');
  assert.equal(body.toString(), `{"model":"${MODEL}","messages":[]}`);
});

for (const name of ['chat.completions.create', 'responses.create', 'files.create', 'files.list', 'batches.create']) {
  test(`v1: ${name}`, () => compare([direct(suite.provider1), through('/openai/v1')], suite.provider1, TABLE[name], METHODS.get(name)));
}
