// One gateway before two recording upstreams, and the clients of both sides.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import OpenAI from 'openai';

import { run, sha256 } from '../gateway.js';
import { comparables } from './compare.js';
import { Fake } from './fake.js';
import { harvest } from './harvest.js';
import { call, calls } from './methods.js';

export const CALLER = 'tk-recording';
export const UPSTREAM = 'upstream-key';
export const MODEL = 'an-upstream-model';

// The suites talk to this machine only, whatever the environment says.
for (const name of Object.keys(process.env)) {
  if (/_proxy$/i.test(name) || /^(OPENAI|ANTHROPIC|AZURE)_/.test(name)) delete process.env[name];
}

/** What every config begins with, below its top-level keys. */
export const HEAD = `
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "${sha256(CALLER)}"
`;

const config = ({ home1, home2 }) => `
default_provider = "home1"
${HEAD}
[providers.home1]
base_url = "${home1.baseURL}"
api_key = "${UPSTREAM}"
[providers.home2]
base_url = "${home2.baseURL}"
api_key = "${UPSTREAM}"
[models.chat]
provider = "home1"
model = "${MODEL}"
[models.elsewhere]
provider = "home2"
model = "${MODEL}"
`;

export const suite = {};

/** Starts, for a file of tests, its upstreams and a gateway with the config made of them. */
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

export const prepare = () => prepareWith(async () => ({ home1: await Fake.start('home1'), home2: await Fake.start('home2') }), config);

const side = (baseURL, key, model, defaultHeaders) => ({
  client: new OpenAI({ baseURL, apiKey: key, adminAPIKey: key, maxRetries: 0, defaultHeaders }),
  model,
});

/** The upstream itself. */
export const direct = (fake) => side(fake.baseURL, UPSTREAM, MODEL);

/** Trunkline before it. */
export const through = (door = '/v1', model = 'chat', headers = {}) => side(suite.origin + door, CALLER, model, headers);

/** Calls a method on both sides, of which the first is the direct one. */
export async function compare(sides, fake, row, path) {
  for (const given of calls(row)) {
    const seen = [];
    const gave = [];
    for (const { client, model } of sides) {
      fake.take();
      gave.push(await harvest(call(client, path, given, model)));
      seen.push(comparables(fake.take()));
    }
    assert.notDeepEqual(seen[0], [], 'the method sends nothing, or not to its base URL');
    assert.deepEqual(seen[1], seen[0]);
    assert.deepEqual(gave[1], gave[0]);
  }
}
