// Starts the gateway binary over an upstream and waits until it listens.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export const KEY = 'tk-node-suite';

export const sha256 = (key) => createHash('sha256').update(key).digest('hex');

const config = (baseURL) => `
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.node]
sha256 = "${sha256(KEY)}"
[access.keys.narrow]
sha256 = "${sha256(`${KEY}-narrow`)}"
models = ["chat"]
[providers.up]
base_url = "${baseURL}"
api_key = "upstream-key"
stream_usage = "inject"
[providers.plain]
base_url = "${baseURL}"
api_key = "upstream-key"
dialects = ["chat"]
[providers.slow]
base_url = "${baseURL}"
api_key = "upstream-key"
[providers.slow.timeouts]
response_header = "1s"
[models.chat]
provider = "up"
model = "real"
[models.later]
provider = "groq"
model = "later"
`;

/**
 * Returns the base URL for the SDK and a function that stops the gateway. The variables in `env`
 * may name files in `directory`.
 */
export async function startGateway(upstreamURL, { scheme = 'http', directory, env } = {}) {
  const { listen, stop } = await run(config(upstreamURL), { directory, env });
  return { baseURL: `${scheme}://${listen}/v1`, stop };
}

/** Starts the gateway with a configuration; returns its address and a function that stops it. */
export async function run(text, { directory, env = {} } = {}) {
  directory ??= await mkdtemp(join(tmpdir(), 'trunkline-'));
  const file = join(directory, 'trunkline.toml');
  await writeFile(file, text);
  const child = spawn(resolve(process.env.TRUNKLINE_BIN), ['--config', file, '--log-format', 'json'], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    await rm(directory, { recursive: true });
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line);
    const { message, listen } = { ...entry, ...entry.fields };
    if (message === 'listening') {
      child.stdout.resume();
      return { listen, origin: `http://${listen}`, stop };
    }
  }
  throw new Error('the gateway did not start');
}
