// Anthropic's SDK with a Messages upstream: requests are forwarded unchanged.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic, { AuthenticationError, NotFoundError } from '@anthropic-ai/sdk';

import { anthropic } from './responses.js';
import { Fake } from './fake.js';
import { calls, methods, table } from './methods.js';
import { CLIENT_KEY, compare, HEAD, MODEL, prepareWith, suite, UPSTREAM_KEY } from './setup.js';

prepareWith(async () => ({ claude: await Fake.start('claude1', anthropic) }), ({ claude }) => `
default_provider = "claude"
${HEAD}
[providers.claude]
base_url = "${claude.baseURL}"
api_key = "${UPSTREAM_KEY}"
auth = "x-api-key"
dialects = ["messages"]
[models.opus]
provider = "claude"
model = "${MODEL}"
`);

const client = (baseURL, apiKey, more = {}) => new Anthropic({ baseURL, apiKey, authToken: null, maxRetries: 0, ...more });
const TABLE = table('anthropic');
// Only methods of the protocol and its objects. The rest of the SDK administers an
// organization and runs agents at Anthropic; its paths are forwarded like any other.
const METHODS = [...methods(client('http://localhost', 'none'))].filter(([name]) => /^(beta\.)?(messages|files|models|skills)\./.test(name));
const request = { model: 'opus', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] };

test('the table names every method', () => {
  assert.deepEqual(METHODS.map(([name]) => name).filter((name) => !(name in TABLE)), []);
});

test('methods', async (t) => {
  const sides = [{ client: client(suite.claude.origin, UPSTREAM_KEY), model: MODEL }, { client: client(suite.origin, CLIENT_KEY), model: 'opus' }];
  for (const [name, path] of METHODS) {
    if (calls(TABLE[name]).length) await t.test(name, () => compare(sides, suite.claude, TABLE[name], path));
  }
});

test('a bearer token', async () => {
  suite.claude.take();
  await client(suite.origin, null, { authToken: CLIENT_KEY }).messages.create(request);
  const [{ headers }] = suite.claude.take();
  assert.equal(headers['x-api-key'], UPSTREAM_KEY);
  assert.equal(headers.authorization, undefined);
});

test('errors have the shape of the protocol', async () => {
  const isError = (type, kind) => (error) => error instanceof kind && error.error.type === 'error' && error.error.error.type === type;
  const unknown = client(`${suite.origin}/providers/nothing`, CLIENT_KEY).messages.create(request);
  await assert.rejects(unknown, isError('not_found_error', NotFoundError));
  await assert.rejects(client(suite.origin, 'wrong').messages.create(request), isError('authentication_error', AuthenticationError));
});
