import type { HLJSApi } from 'highlight.js';
import { loaderOf } from './languages';

/** A stretch of code of one colour. `kind` is highlight.js's name for it, or `''`. */
export interface Run {
  kind: string;
  text: string;
}

/** More than this is shown plain: colour is not worth a stall. */
export const MAX_HIGHLIGHT = 64 * 1024;

/** Scopes that only group. */
const PLAIN = new Set(['params', 'tag', 'punctuation', 'code', 'formula', 'function', 'class']);

/**
 * Takes the place of highlight.js's own emitter, which builds HTML. This one
 * keeps a flat list of runs, and the page makes elements of them.
 */
class RunEmitter {
  readonly runs: Run[] = [];
  private readonly scopes: string[] = [];

  addText(text: string): void {
    if (text === '') return;
    const kind = this.scopes.at(-1) ?? '';
    const last = this.runs.at(-1);
    if (last?.kind === kind) last.text += text;
    else this.runs.push({ kind, text });
  }

  startScope(scope: string): void {
    // `title.function` is drawn like any title, and what is nested like what it is in.
    this.scopes.push(PLAIN.has(scope) ? (this.scopes.at(-1) ?? '') : (scope.split('.')[0] ?? ''));
  }

  endScope(): void {
    this.scopes.pop();
  }

  openNode(scope: string): void {
    this.startScope(scope);
  }

  closeNode(): void {
    this.endScope();
  }

  __addSublanguage(other: RunEmitter): void {
    for (const run of other.runs) this.runs.push(run);
  }

  finalize(): void {}

  toHTML(): string {
    return '';
  }
}

let core: Promise<HLJSApi> | undefined;
const registered = new Map<string, Promise<boolean>>();

async function loadCore(): Promise<HLJSApi> {
  const { default: hljs } = await import('highlight.js/lib/core');
  // The option is undocumented in its types, but it is how other renderers do it.
  hljs.configure({ __emitter: RunEmitter } as unknown as Parameters<HLJSApi['configure']>[0]);
  return hljs;
}

async function register(language: string): Promise<boolean> {
  const load = loaderOf(language);
  if (!load) return false;
  core ??= loadCore();
  const [hljs, grammar] = await Promise.all([core, load()]);
  hljs.registerLanguage(language, grammar.default);
  return true;
}

/** The code as coloured runs; undefined where it stays plain. */
export async function highlight(code: string, language: string): Promise<Run[] | undefined> {
  if (code.length > MAX_HIGHLIGHT) return undefined;
  let ready = registered.get(language);
  if (!ready) {
    ready = register(language);
    registered.set(language, ready);
  }
  try {
    if (!(await ready) || !core) return undefined;
    const result = (await core).highlight(code, { language, ignoreIllegals: true });
    return (result as unknown as { _emitter: RunEmitter })._emitter.runs;
  } catch {
    // A chunk that cannot be fetched now may be there for the next block.
    registered.delete(language);
    core = undefined;
    return undefined;
  }
}
