import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A release build with the page embedded. */
const BINARY =
  process.env.TRUNKLINE_BIN ?? resolve(import.meta.dirname, '../../../target/release/trunkline');

export const CLIENT_KEY = 'tl-test-key-0123456789abcdef0123456789abcdef';

export interface Gateway {
  url: string;
  stop(): Promise<void>;
}

interface Options {
  upstream: string;
  /** Requires a client key, which may use the model `fast` only. */
  keyed?: boolean;
  /** With `keyed`: the key is an operator's, of a team, and models have prices. */
  operator?: boolean;
  rootPath?: string;
  /** Only the demo provider, as on a first start. */
  bare?: boolean;
  /**
   * Adds a model `spread` with a failing, a rate-limited and a working target, and one without a
   * key; and a model `away` with the failing one only.
   */
  targets?: boolean;
  /** Enables discovery: 400 models per provider. */
  discovers?: boolean;
  /** Tables `[limits.NAME]`. */
  limits?: string;
}

export async function startGateway(options: Options): Promise<Gateway> {
  if (!existsSync(BINARY))
    throw new Error(`No gateway at ${BINARY}: build it, or set TRUNKLINE_BIN.`);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-e2e-'));
  const file = join(folder, 'trunkline.toml');
  writeFileSync(file, config(options, port));
  const child = spawn(BINARY, ['--config', file], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', NO_PROXY: '*' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (data) => {
    log += data;
  });
  const url = `http://127.0.0.1:${port}`;
  await ready(`${url}/health`, child, () => log);
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function config(options: Options, port: number): string {
  const { upstream, keyed, operator, rootPath = '', bare, targets, discovers, limits } = options;
  const provider = (name: string) =>
    `[providers.${name}]\nbase_url = "${upstream}/v1"\napi_key = "k"\ndiscover = ${!!discovers}\n`;
  const model = (alias: string, provider: string) =>
    `[models.${alias}]\nprovider = "${provider}"\nmodel = "${alias}-1"\n`;
  const sha256 = createHash('sha256').update(CLIENT_KEY).digest('hex');
  return [
    bare ? 'demo = "auto"' : 'demo = "off"',
    `[server]\nlisten = "127.0.0.1:${port}"\nroot_path = "${rootPath}"`,
    '[admin]\nlisten = "off"',
    '[log]\nlevel = "error"\naccess = false',
    ...(bare
      ? []
      : [provider('alpha'), provider('beta'), model('fast', 'alpha'), model('smart', 'beta')]),
    ...(targets ? [spread(upstream)] : []),
    ...(keyed ? [`[access.keys.team]\nsha256 = "${sha256}"\nmodels = ["fast"]`] : []),
    ...(operator
      ? ['operator = true\nteam = "search"', '[prices."*/*"]\ninput = "400"\noutput = "900"']
      : []),
    ...(limits ? [limits] : []),
    '',
  ].join('\n');
}

function spread(upstream: string): string {
  const provider = (name: string) =>
    `[providers.${name}]\nbase_url = "${upstream}/${name}/v1"\napi_key = "k"\n`;
  const names = ['broken', 'busy', 'alpha', 'lacking'];
  const targets = names.map((name, i) => `{ provider = "${name}", priority = ${i} }`);
  return [
    '[breaker]\nfailures = 1\ncooldown = "50s"',
    provider('broken'),
    provider('busy'),
    `[providers.lacking]\nbase_url = "${upstream}/v1"\napi_key_env = "LACKING_API_KEY"`,
    '[models.away]\nprovider = "broken"\nmodel = "away-1"',
    `[models.spread]\ntargets = [${targets.join(', ')}]\nretry = { attempts = 4 }`,
  ].join('\n');
}

async function freePort(): Promise<number> {
  const first = 19_500 + (process.pid % 300);
  for (let port = first; port < first + 300; port++) {
    const free = await new Promise<boolean>((done) => {
      const probe = createServer();
      probe.once('error', () => done(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
  throw new Error('No free port.');
}

async function ready(url: string, child: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) throw new Error(`The gateway did not start:\n${log()}`);
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new Error(`The gateway does not answer:\n${log()}`);
}
