import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const SRC = resolve(import.meta.dirname, '../../src');

/** The sources of the page without its texts, by path. */
export function sources(): Map<string, string> {
  const names = readdirSync(SRC, { recursive: true, encoding: 'utf8' });
  const code = names.filter((name) => /\.tsx?$/.test(name) && !name.startsWith('i18n/'));
  return new Map(code.map((name) => [name, readFileSync(join(SRC, name), 'utf8')]));
}
