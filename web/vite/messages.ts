import { type Plugin, parseSync } from 'vite';
import ar from '../src/i18n/messages/ar';
import de from '../src/i18n/messages/de';
import en from '../src/i18n/messages/en';
import es from '../src/i18n/messages/es';
import fr from '../src/i18n/messages/fr';
import ja from '../src/i18n/messages/ja';
import zh from '../src/i18n/messages/zh';
import type { Key, Message, Messages } from '../src/i18n/translate';

export const ENGLISH: Record<Key, Message> = en;
export const TRANSLATIONS: Record<string, Messages> = { ar, de, es, fr, ja, zh };

const KEYS = Object.keys(ENGLISH) as Key[];
const NUMBERS = new Map(KEYS.map((key, number) => [key as string, number]));

/**
 * Replaces the key of each `t('key')` and `rich('key')` by its number and English text, and each
 * other language by a list of its texts, by number.
 */
export function messages(): Plugin {
  return {
    name: 'trunkline-messages',
    enforce: 'pre',
    transform(code, id) {
      const [file = '', query] = id.split('?');
      const language = query === 'numbered' ? /\/messages\/(\w+)\.ts$/.exec(file)?.[1] : undefined;
      const table = language && TRANSLATIONS[language];
      if (table) {
        const texts = KEYS.map((key) => table[key]);
        return { code: `export default ${JSON.stringify(texts)}`, map: null };
      }
      if (!/\/src\/.*\.tsx?$/.test(file) || !/from '[./]+\/i18n'/.test(code)) return null;
      return { code: numbered(code, file), map: null };
    },
  };
}

export function numbered(code: string, file: string): string {
  let out = code;
  for (const { start, end, key } of keysIn(code, file).reverse()) {
    const number = NUMBERS.get(key);
    if (number === undefined) throw new Error(`${file}: no text for ${key || 'a key that varies'}`);
    out = `${out.slice(0, start)}${number}, ${JSON.stringify(ENGLISH[key as Key])}${out.slice(end)}`;
  }
  return out;
}

export interface UsedKey {
  start: number;
  end: number;
  /** Empty if it is no literal. */
  key: string;
}

/** The keys of all calls of `t` and `rich`, in order. */
export function keysIn(code: string, file: string): UsedKey[] {
  const { program, errors } = parseSync(file, code, { lang: file.endsWith('x') ? 'tsx' : 'ts' });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const found: UsedKey[] = [];
  walk(program, (node) => {
    if (node.type !== 'CallExpression') return;
    const callee = node.callee as Node;
    if (callee.type !== 'Identifier' || (callee.name !== 't' && callee.name !== 'rich')) return;
    const first = (node.arguments as Node[])[0];
    const key = first?.type === 'Literal' && typeof first.value === 'string' ? first.value : '';
    found.push({ start: first?.start ?? 0, end: first?.end ?? 0, key });
  });
  return found.sort((a, b) => a.start - b.start);
}

export interface Node {
  type: string;
  start: number;
  end: number;
  [member: string]: unknown;
}

/** Visits each node of a syntax tree with those around it, the nearest last. */
export function walk(
  node: unknown,
  visit: (node: Node, around: Node[]) => void,
  around: Node[] = [],
): void {
  if (Array.isArray(node)) for (const child of node) walk(child, visit, around);
  else if (typeof node === 'object' && node !== null && 'type' in node) {
    visit(node as Node, around);
    const within = [...around, node as Node];
    for (const child of Object.values(node)) walk(child, visit, within);
  }
}
