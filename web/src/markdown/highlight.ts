import type { HLJSApi } from 'highlight.js';
import { loadModule } from '../load-module';
import { loaderOf } from './languages';

/** A span of code of one colour. `kind` is highlight.js's scope, or `''`. */
export interface Run {
  kind: string;
  text: string;
}

/** Longer code stays plain: highlighting would block the page. */
export const MAX_HIGHLIGHT = 64 * 1024;

/** Scopes without a colour. */
const PLAIN = new Set(['params', 'tag', 'punctuation', 'code', 'formula', 'function', 'class']);

/**
 * Replaces highlight.js's emitter, which builds HTML: the page makes elements of a flat list of
 * runs.
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
    // `title.function` is styled as `title`; a nested scope without a colour as its parent.
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
  const { default: hljs } = await loadModule(() => import('highlight.js/lib/core'));
  // The option is missing in the types, but other renderers use it as well.
  hljs.configure({ __emitter: RunEmitter } as unknown as Parameters<HLJSApi['configure']>[0]);
  return hljs;
}

async function register(language: string): Promise<boolean> {
  const load = loaderOf(language);
  if (!load) return false;
  core ??= loadCore();
  const [hljs, grammar] = await Promise.all([core, loadModule(load)]);
  hljs.registerLanguage(language, grammar.default);
  return true;
}

/** Highlighted runs; undefined if the code stays plain. */
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
    // A chunk that failed to load is retried with the next block.
    registered.delete(language);
    core = undefined;
    return undefined;
  }
}
