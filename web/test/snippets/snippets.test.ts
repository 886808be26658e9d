import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type ApiCall, clientSnippet, snippet } from '../../src/snippets';
import { javascript, python, shell } from '../../src/snippets/literal';

const nasty = 'it\'s "quoted" `code` $HOME \\ back\nnew line\ttab 🦀 \u2028 </script> {x} %s';

const call = (body: Record<string, unknown>, path = '/v1/chat/completions'): ApiCall => ({
  method: 'POST',
  root: 'http://h:1/sub',
  path,
  body,
});

const has = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('literals', () => {
  const value = {
    a: [1, 2.5, true, false, null, nasty],
    'b-c': { [nasty]: [] },
    e: {},
    u: undefined,
  };

  it('evaluate to the same value in JavaScript', () => {
    const { u: _, ...rest } = value;
    expect(Function(`return (${javascript(value)})`)()).toEqual(rest);
  });

  it.skipIf(!has('python3'))('mean the same in Python', () => {
    const program = `import json,sys\nprint(json.dumps(${python(value)}))`;
    const { u: _, ...rest } = value;
    expect(JSON.parse(execFileSync('python3', ['-c', program], { encoding: 'utf8' }))).toEqual(
      rest,
    );
  });

  it('are one shell word', () => {
    expect(execFileSync('sh', ['-c', `printf %s ${shell(nasty)}`], { encoding: 'utf8' })).toBe(
      nasty,
    );
  });
});

describe('curl', () => {
  it('sends the body unchanged and reads the key from the environment', () => {
    const body = { model: 'm', messages: [{ role: 'user', content: nasty }], stream: true };
    const text = snippet('curl', call(body));
    expect(text).toMatch(/^curl -N 'http:\/\/h:1\/sub\/v1\/chat\/completions' \\\n/);
    const script = `curl() { for a; do printf '%s\\0' "$a"; done; }\nTRUNKLINE_API_KEY=k\n${text}`;
    const args = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0');
    expect(args).toContain('authorization: Bearer k');
    expect(JSON.parse(args[args.indexOf('-d') + 1] ?? '')).toEqual(body);
  });

  it('sends no key if none is required', () => {
    expect(snippet('curl', { method: 'GET', root: 'http://h', path: '/health', open: true })).toBe(
      "curl 'http://h/health'",
    );
  });
});

describe('SDKs', () => {
  const calls: ApiCall[] = [
    call({ model: 'm', messages: [{ role: 'user', content: nasty }] }),
    call({ model: 'm', messages: [], stream: true }),
    call({ model: 'm', prompt: 'p', stream: true }, '/v1/completions'),
    call({ model: 'm', input: ['a'] }, '/v1/embeddings'),
    call({ model: 'm', input: 'a', stream: true }, '/v1/responses'),
    call({ model: 'm', input: 'a' }, '/v1/moderations'),
    call({ model: 'm', prompt: 'a' }, '/v1/images/generations'),
    call({ model: 'm', input: 'a', voice: 'v' }, '/v1/audio/speech'),
    { method: 'GET', root: 'http://h', path: '/v1/models' },
    { method: 'GET', root: 'http://h', path: '/v1/models/a%2Fb' },
    { method: 'GET', root: 'http://h', path: '/health', open: true },
  ];

  it.skipIf(!has('python3')).each(calls)('Python for $path is Python', (call) => {
    const program = 'import ast,sys; ast.parse(sys.stdin.read())';
    execFileSync('python3', ['-c', program], { input: snippet('python', call) });
  });

  it.each(calls)('JavaScript for $path is JavaScript', (call) => {
    execFileSync('node', ['--input-type=module', '--check', '-'], {
      input: snippet('javascript', call),
    });
  });

  it("contain the gateway's URL and never a key", () => {
    expect(clientSnippet('python', 'http://h:1/sub', 'm')).toContain(
      'base_url="http://h:1/sub/v1"',
    );
    expect(clientSnippet('javascript', 'http://h:1/sub', 'm')).toContain(
      'baseURL: "http://h:1/sub/v1"',
    );
    expect(snippet('python', calls[9] as ApiCall)).toContain('retrieve("a/b")');
  });

  it('leave out images', () => {
    const url = `data:image/png;base64,${'A'.repeat(5000)}`;
    const text = snippet('curl', call({ messages: [{ content: [{ image_url: { url } }] }] }));
    expect(text).toContain('data:image/png;base64,<base64 of the file>');
    expect(text).not.toContain('AAAA');
  });
});
