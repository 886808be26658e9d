// A limit of the client arrives as the SDK's own class, and is retried only where that helps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

import { run, sha256 } from './gateway.js';
import { Upstream } from './upstream.js';

// A rule for each test. The upstream's usage is 11 and 7 tokens, or 5 and 3: 25 or 11 millionths of a dollar.
const rules = {
  requests: 'requests = ["1/hour"]',
  soon: 'requests = ["2/second burst 1"]',
  waits: 'requests = ["5/second burst 1"]\nwait = "20s"',
  budget: 'budget = ["0.000011/total"]',
  blocked: 'requests = ["0/hour"]',
  small: 'tokens = ["300/minute"]\nreserve = "worst"',
  headers: 'requests = ["60/hour"]\ntokens = ["30000/hour"]\nbudget = ["5/month"]',
};

const messages = [{ role: 'user', content: 'hi' }];
const calls = {
  openai: (client, limit) => client.chat.completions.create({ model: 'chat', messages, max_tokens: limit }),
  stream: (client, limit) =>
    client.chat.completions.create({
      model: 'chat', messages, max_tokens: limit, stream: true, stream_options: { include_usage: true },
    }),
  responses: (client, limit) => client.responses.create({ model: 'chat', input: 'hi', max_output_tokens: limit }),
  anthropic: (client, limit) => client.messages.create({ model: 'translated', messages, max_tokens: limit }),
};
const callers = Object.keys(calls);
const key = (rule, caller) => `tk-${rule}-${caller}`;

let gateway;
let upstream;

before(async () => {
  upstream = await Upstream.start();
  const provider = (name, more) => `[providers.${name}]\nbase_url = "${upstream.baseURL}"\napi_key = "upstream-key"\n${more}
[prices."${name}/*"]\ninput = "1"\noutput = "2"\n`;
  const rule = ([name, lines]) => `[limits.${name}]\nper = ["key"]\nkeys = ["${name}-*"]\n${lines}\n`;
  const access = (name, caller) => `[access.keys."${name}-${caller}"]\nsha256 = "${sha256(key(name, caller))}"\n`;
  gateway = await run(`
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[models.chat]
provider = "up"
model = "real"
[models.translated]
provider = "plain"
model = "real"
${provider('up', '')}${provider('plain', 'dialects = ["chat"]')}
${Object.entries(rules).map(rule).join('')}
${Object.keys(rules).flatMap((name) => callers.map((caller) => access(name, caller))).join('')}`);
});
after(async () => {
  await gateway.stop();
  upstream.stop();
});

/** A call in the way of one SDK and one API, and how many requests it took. */
class Caller {
  requests = 0;

  constructor(name) {
    this.name = name;
    this.sdk = name === 'anthropic' ? Anthropic : OpenAI;
  }

  /** Retries as often as the SDKs do by default; resolves to the response, of which a stream is read to its end. */
  async call(rule, limit = 64) {
    const client = new this.sdk({
      baseURL: this.sdk === OpenAI ? `${gateway.origin}/v1` : gateway.origin,
      apiKey: key(rule, this.name),
      fetch: (...request) => {
        this.requests += 1;
        return fetch(...request);
      },
    });
    const { data, response } = await calls[this.name](client, limit).withResponse();
    if (this.name === 'stream') for await (const event of data) assert.ok(event);
    return response;
  }

  /** The error that a call fails with, and its body. */
  async failure(kind, ...call) {
    const error = await this.call(...call).then(() => undefined, (reason) => reason);
    assert.ok(error instanceof this.sdk[kind], `${kind} expected: ${error}`);
    return { error, body: this.sdk === Anthropic ? error.error.error : error.error };
  }

  /** What stands in the body's `type`. */
  type(openai, anthropic) {
    return this.sdk === OpenAI ? openai : anthropic;
  }
}

for (const name of callers) {
  test(`${name}: a rate says how long to wait`, async () => {
    const caller = new Caller(name);
    await caller.call('requests');
    // The SDKs do not wait for an hour: they retry at once, which fails.
    const { error, body } = await caller.failure('RateLimitError', 'requests');
    assert.equal(error.status, 429);
    assert.ok(Number(error.headers.get('retry-after')) > 0);
    assert.ok(Number(error.headers.get('retry-after-ms')) > 0);
    assert.equal(body.type, caller.type('requests', 'rate_limit_error'));
    assert.deepEqual([body.limit.rule, body.limit.of, body.limit.period], ['requests', 'requests', 'hour']);
    if (caller.sdk === OpenAI) assert.deepEqual([error.code, error.param], ['rate_limit_exceeded', null]);
  });

  test(`${name}: a rate that comes back soon is retried by the SDK`, async () => {
    const caller = new Caller(name);
    let sent = 0;
    // On a slow machine, it may be back before the next call.
    while (caller.requests === sent && sent < 20) {
      await caller.call('soon');
      sent += 1;
    }
    assert.equal(caller.requests, sent + 1);
  });

  test(`${name}: a request that may wait is not refused`, async () => {
    const caller = new Caller(name);
    for (let sent = 0; sent < 3; sent += 1) await caller.call('waits');
    assert.equal(caller.requests, 3);
  });

  test(`${name}: money is final`, async () => {
    const caller = new Caller(name);
    await caller.call('budget');
    const { error, body } = await caller.failure('RateLimitError', 'budget');
    assert.equal(caller.requests, 2, 'retried');
    assert.equal(error.headers.get('x-should-retry'), 'false');
    assert.equal(error.headers.get('retry-after'), null);
    assert.equal(body.type, caller.type('insufficient_quota', 'billing_error'));
    if (caller.sdk === OpenAI) assert.equal(error.code, 'insufficient_quota');
  });

  test(`${name}: a blocked key`, async () => {
    const caller = new Caller(name);
    const { error, body } = await caller.failure('PermissionDeniedError', 'blocked');
    assert.equal(caller.requests, 1);
    if (caller.sdk === OpenAI) assert.equal(error.code, 'blocked');
    else assert.equal(body.type, 'permission_error');
  });

  test(`${name}: a request that can never fit`, async () => {
    const caller = new Caller(name);
    const { error, body } = await caller.failure('BadRequestError', 'small', 1000);
    assert.equal(caller.requests, 1);
    if (caller.sdk === OpenAI) assert.equal(error.code, 'request_exceeds_limit');
    else assert.equal(body.type, 'invalid_request_error');
    await caller.call('small');
  });

  test(`${name}: what is left is in the headers`, async () => {
    const caller = new Caller(name);
    const { headers } = await caller.call('headers');
    const rate = (kind, member) =>
      headers.get(caller.type(`x-ratelimit-${member}-${kind}`, `anthropic-ratelimit-${kind}-${member}`));
    assert.equal(rate('requests', 'limit'), '60');
    assert.equal(rate('requests', 'remaining'), '59');
    assert.equal(rate('tokens', 'limit'), '30000');
    assert.ok(Number(rate('tokens', 'remaining')) < 30_000);
    assert.match(rate('tokens', 'reset'), caller.type(/s$/, /^20.*T.*/));
    const left = Number(headers.get('x-trunkline-budget-remaining'));
    assert.ok(left > 4.99 && left < 5);
  });
}
