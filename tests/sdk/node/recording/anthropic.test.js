// Anthropic's SDK before a Messages upstream: what it sends comes through as it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic, { AuthenticationError, NotFoundError } from '@anthropic-ai/sdk';

import { anthropic } from './answers.js';
import { Fake } from './fake.js';
import { calls, methods, table } from './methods.js';
import { CALLER, compare, HEAD, MODEL, prepareWith, suite, UPSTREAM } from './setup.js';

prepareWith(async () => ({ claude: await Fake.start('claude1', anthropic) }), ({ claude }) => `
default_provider = "claude"
${HEAD}
[providers.claude]
base_url = "${claude.baseURL}"
api_key = "${UPSTREAM}"
auth = "x-api-key"
dialect = "anthropic"
[models.opus]
provider = "claude"
model = "${MODEL}"
`);

const client = (baseURL, apiKey, more = {}) => new Anthropic({ baseURL, apiKey, authToken: null, maxRetries: 0, ...more });
const TABLE = table('anthropic');
// The protocol and its objects. The rest of the SDK administers an organization
// and runs agents at Anthropic; its paths pass like any other.
const METHODS = [...methods(client('http://localhost', 'none'))].filter(([name]) => /^(beta\.)?(messages|files|models|skills)\./.test(name));
const question = { model: 'opus', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] };

test('the table names every method', () => {
  assert.deepEqual(METHODS.map(([name]) => name).filter((name) => !(name in TABLE)), []);
});

test('methods', async (t) => {
  const sides = [{ client: client(suite.claude.origin, UPSTREAM), model: MODEL }, { client: client(suite.origin, CALLER), model: 'opus' }];
  for (const [name, path] of METHODS) {
    if (calls(TABLE[name]).length) await t.test(name, () => compare(sides, suite.claude, TABLE[name], path));
  }
});

test('the bearer of the caller', async () => {
  suite.claude.take();
  await client(suite.origin, null, { authToken: CALLER }).messages.create(question);
  const [{ headers }] = suite.claude.take();
  assert.equal(headers['x-api-key'], UPSTREAM);
  assert.equal(headers.authorization, undefined);
});

test('errors have their shape', async () => {
  const isError = (type, kind) => (error) => error instanceof kind && error.error.type === 'error' && error.error.error.type === type;
  const unknown = client(suite.origin, CALLER).messages.create({ ...question, model: 'nothing' });
  await assert.rejects(unknown, isError('not_found_error', NotFoundError));
  await assert.rejects(client(suite.origin, 'wrong').messages.create(question), isError('authentication_error', AuthenticationError));
});
