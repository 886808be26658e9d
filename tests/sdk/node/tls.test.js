// TLS, with an authority from the environment.

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

/** An authority, and a certificate for this machine issued by it. */
async function certify(directory) {
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const openssl = (...more) => run('openssl', [...make, ...more], { cwd: directory });
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

/** A separate process, since Node reads the variable at its start. */
async function contents(env) {
  const program = `
    import OpenAI from 'openai';
    const client = new OpenAI({ maxRetries: 0 });
    const request = { model: 'chat', messages: [{ role: 'user', content: 'hi' }] };
    const completion = await client.chat.completions.create(request);
    let text = '';
    for await (const part of await client.chat.completions.create({ ...request, stream: true }))
      text += part.choices[0]?.delta.content ?? '';
    console.log(JSON.stringify([completion.choices[0].message.content, text]));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    env: { OPENAI_BASE_URL: gateway.baseURL, OPENAI_API_KEY: KEY, ...env },
  });
  return JSON.parse(stdout);
}

test('TLS', async () => {
  assert.deepEqual(await contents({ NODE_EXTRA_CA_CERTS: authority }), ['Hello there', 'Hello thère']);
});

test('TLS of an unknown authority', async () => {
  await assert.rejects(contents({}), /Connection error/);
});
