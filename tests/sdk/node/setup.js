// One gateway and one upstream for each test file.

import { after, before } from 'node:test';

import OpenAI from 'openai';

import { KEY, startGateway } from './gateway.js';
import { Upstream } from './upstream.js';

// The suites connect to this machine only: no proxy or base URL from the environment.
for (const name of Object.keys(process.env)) {
  if (/_proxy$/i.test(name) || name.startsWith('OPENAI_')) delete process.env[name];
}

export const suite = { upstream: undefined, baseURL: undefined };

export function prepare() {
  let stop;
  before(async () => {
    suite.upstream = await Upstream.start();
    ({ baseURL: suite.baseURL, stop } = await startGateway(suite.upstream.baseURL));
  });
  after(async () => {
    await stop();
    suite.upstream.stop();
  });
}

/** A client whose requests carry the name of their test. */
export function clientFor(test, options = {}) {
  return new OpenAI({
    baseURL: suite.baseURL,
    apiKey: KEY,
    maxRetries: 0,
    defaultHeaders: { 'x-test': encodeURIComponent(test.name) },
    ...options,
  });
}

/** The upstream requests of a test. */
export const requestsOf = (test) => suite.upstream.seen(encodeURIComponent(test.name));

export const ask = (client, model = 'chat', more = {}) =>
  client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }], ...more });
