// Over TLS, with an authority that the environment names.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { KEY, startGateway } from './gateway.js';
import { Upstream } from './upstream.js';

const run = promisify(execFile);

let gateway;
let upstream;
let authority;

/** An authority, and a certificate of its for this machine. */
async function certify(directory) {
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const openssl = (...words) => run('openssl', [...make, ...words], { cwd: directory });
  await openssl('-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.crt');
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'];
  const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key'];
  await openssl('-subj', '/CN=gateway', ...names, ...issuer, '-keyout', 'tls.key', '-out', 'tls.crt');
  return join(directory, 'ca.crt');
}

before(async () => {
  upstream = await Upstream.start();
  const directory = await mkdtemp(join(tmpdir(), 'trunkline-tls-'));
  authority = await certify(directory);
  gateway = await startGateway(upstream.baseURL, {
    scheme: 'https',
    directory,
    env: { TRUNKLINE_SERVER__TLS__CERT_FILE: 'tls.crt', TRUNKLINE_SERVER__TLS__KEY_FILE: 'tls.key' },
  });
});

after(async () => {
  await gateway.stop();
  upstream.stop();
});

/** A program of its own, since Node reads the variable when it starts. */
async function answers(env) {
  const program = `
    import OpenAI from 'openai';
    const client = new OpenAI({ maxRetries: 0 });
    const question = { model: 'chat', messages: [{ role: 'user', content: 'hi' }] };
    const whole = await client.chat.completions.create(question);
    let text = '';
    for await (const part of await client.chat.completions.create({ ...question, stream: true }))
      text += part.choices[0]?.delta.content ?? '';
    console.log(JSON.stringify([whole.choices[0].message.content, text]));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    env: { OPENAI_BASE_URL: gateway.baseURL, OPENAI_API_KEY: KEY, ...env },
  });
  return JSON.parse(stdout);
}

test('TLS', async () => {
  assert.deepEqual(await answers({ NODE_EXTRA_CA_CERTS: authority }), ['Hello there', 'Hello thère']);
});

test('TLS of an unknown authority', async () => {
  await assert.rejects(answers({}), /Connection error/);
});
