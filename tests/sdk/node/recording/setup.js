// One gateway with two recording upstreams, and the clients of both sides.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import OpenAI from 'openai';

import { run, sha256 } from '../gateway.js';
import { comparables } from './compare.js';
import { Fake } from './fake.js';
import { resultOf } from './results.js';
import { call, calls } from './methods.js';

export const CLIENT_KEY = 'tk-recording';
export const UPSTREAM_KEY = 'upstream-key';
export const MODEL = 'an-upstream-model';

// The suites connect to this machine only: no proxy or base URL from the environment.
for (const name of Object.keys(process.env)) {
  if (/_proxy$/i.test(name) || /^(OPENAI|ANTHROPIC|AZURE)_/.test(name)) delete process.env[name];
}

/** The tables common to all configurations, to be placed after top-level keys. */
export const HEAD = `
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "${sha256(CLIENT_KEY)}"
`;

const config = ({ provider1, provider2 }) => `
default_provider = "provider1"
${HEAD}
[providers.provider1]
base_url = "${provider1.baseURL}"
api_key = "${UPSTREAM_KEY}"
[providers.provider2]
base_url = "${provider2.baseURL}"
api_key = "${UPSTREAM_KEY}"
[models.chat]
provider = "provider1"
model = "${MODEL}"
[models.elsewhere]
provider = "provider2"
model = "${MODEL}"
`;

export const suite = {};

/** Starts the upstreams of a test file and a gateway with the configuration derived from them. */
export function prepareWith(start, config) {
  let stop;
  before(async () => {
    Object.assign(suite, await start());
    const gateway = await run(config(suite));
    suite.origin = gateway.origin;
    stop = gateway.stop;
  });
  after(async () => {
    await stop();
    Object.values(suite).forEach((part) => part.stop?.());
  });
}

export const prepare = () => prepareWith(async () => ({ provider1: await Fake.start('provider1'), provider2: await Fake.start('provider2') }), config);

const side = (baseURL, key, model, defaultHeaders) => ({
  client: new OpenAI({ baseURL, apiKey: key, adminAPIKey: key, maxRetries: 0, defaultHeaders }),
  model,
});

/** The upstream, directly. */
export const direct = (fake) => side(fake.baseURL, UPSTREAM_KEY, MODEL);

/** The upstream, through Trunkline. */
export const through = (prefix = '/v1', model = 'chat', headers = {}) => side(suite.origin + prefix, CLIENT_KEY, model, headers);

/** Calls a method on both sides and compares requests and results; the direct side is first. */
export async function compare(sides, fake, row, path) {
  for (const given of calls(row)) {
    const seen = [];
    const results = [];
    for (const { client, model } of sides) {
      fake.take();
      results.push(await resultOf(call(client, path, given, model)));
      seen.push(comparables(fake.take()));
    }
    assert.notDeepEqual(seen[0], [], 'the method sends nothing, or not to its base URL');
    assert.deepEqual(seen[1], seen[0]);
    assert.deepEqual(results[1], results[0]);
  }
}
