import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isComposing } from '../../src/app/composing';

const SRC = resolve(import.meta.dirname, '../../src');

describe('wp01: the keys of input methods', () => {
  it('are those of a composition, and the one that ends it in Safari', () => {
    expect(isComposing({ isComposing: true, keyCode: 13 })).toBe(true);
    expect(isComposing({ isComposing: false, keyCode: 229 })).toBe(true);
    expect(isComposing({ isComposing: false, keyCode: 13 })).toBe(false);
  });

  it('are told from others in one place, for both pages', () => {
    const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('composing.ts'))
      .map((name): [string, string] => [name, readFileSync(join(SRC, name), 'utf8')]);
    const testing = files.filter(([, code]) => /isComposing|keyCode|\b229\b/.test(code));
    expect(testing.map(([name]) => name)).toEqual([]);
    expect(files.find(([name]) => name === 'main.tsx')?.[1]).toContain('keepCompositions();');
    // A listener of the capture phase could be earlier.
    const early = files.filter(([, code]) => /'keydown'[^;]*capture/.test(code));
    expect(early).toEqual([]);
  });
});
