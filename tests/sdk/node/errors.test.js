// Errors arrive as the SDK's own classes, and retries follow the response headers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI, {
  APIConnectionError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
  UnprocessableEntityError,
} from 'openai';

import { KEY } from './gateway.js';
import { ask, clientFor, prepare, requestsOf } from './setup.js';

prepare();

/** The error that a call fails with. */
async function failure(call, kind) {
  const error = await call.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof kind, `${kind.name} expected: ${error}`);
  return error;
}

test('a wrong key', async (t) => {
  const error = await failure(ask(clientFor(t, { apiKey: 'wrong' })), AuthenticationError);
  assert.equal(error.code, 'invalid_api_key');
  assert.ok(error.requestID);
});

test('an unknown model', async (t) => {
  const error = await failure(ask(clientFor(t), 'chta'), NotFoundError);
  assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
  assert.match(error.message, /chat/);
});

test('a model that the key may not use', async (t) => {
  const narrow = clientFor(t, { apiKey: `${KEY}-narrow` });
  await ask(narrow);
  await failure(ask(narrow, 'up/anything'), NotFoundError);
});

test('a bad request', async (t) => {
  const error = await failure(clientFor(t).post('/chat/completions', { body: { messages: [] } }), BadRequestError);
  assert.deepEqual([error.code, error.param, error.type], ['missing_field', 'model', 'invalid_request_error']);
});

test('errors of the upstream', async (t) => {
  const kinds = {
    400: BadRequestError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    503: InternalServerError,
  };
  for (const [status, kind] of Object.entries(kinds)) {
    for (const stream of [false, true]) {
      const error = await failure(ask(clientFor(t), `up/status-${status}`, { stream }), kind);
      assert.equal(error.status, Number(status));
      assert.deepEqual([error.code, error.param, error.type], ['some_code', 'p', 'some_error']);
      assert.equal(error.requestID, 'req_upstream');
    }
  }
});

test('a rejected provider key', async (t) => {
  const error = await failure(ask(clientFor(t, { maxRetries: 2 }), 'up/status-401'), InternalServerError);
  assert.equal(error.code, 'upstream_auth_failed');
  assert.equal(requestsOf(t).length, 1, 'retried');
});

test('an error page', async (t) => {
  const error = await failure(ask(clientFor(t), 'up/page-502'), InternalServerError);
  assert.equal(error.code, 'upstream_error');
  assert.doesNotMatch(error.message, /oops/);
});

test('a model that is not configured', async (t) => {
  const error = await failure(ask(clientFor(t, { maxRetries: 2 }), 'later'), InternalServerError);
  assert.equal(error.code, 'upstream_not_configured');
  assert.match(error.message, /GROQ_API_KEY/);
});

test('a transient failure is retried', async (t) => {
  const completion = await ask(clientFor(t, { maxRetries: 2 }), 'up/recovers-2');
  assert.equal(completion.choices[0].message.content, 'Hello there');
  assert.equal(requestsOf(t).length, 3);
});

test('a timeout that could be billed twice is not retried', async (t) => {
  const error = await failure(ask(clientFor(t, { maxRetries: 2 }), 'slow/silent'), InternalServerError);
  assert.equal(error.code, 'upstream_timeout');
  assert.equal(error.headers.get('x-should-retry'), 'false');
  assert.equal(requestsOf(t).length, 1);
});

test('a refused connection', async () => {
  const client = new OpenAI({ baseURL: 'http://127.0.0.1:9/v1', apiKey: 'x', maxRetries: 0 });
  await failure(ask(client), APIConnectionError);
});
