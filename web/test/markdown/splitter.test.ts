import { Lexer, type Tokens } from 'marked';
import { describe, expect, it, vi } from 'vitest';
import type { Block } from '../../src/markdown/block';
import { lex } from '../../src/markdown/lex';
import { BlockSplitter, lexBlocks, normalizeNewlines } from '../../src/markdown/splitter';
import { random, randomDocument } from './documents';

// Many documents, each lexed at many lengths: may take more than the default five seconds on a
// busy machine.
vi.setConfig({ testTimeout: 60_000 });

const visible = (blocks: Block[]) => blocks.filter((b) => b.token.type !== 'space');

/** The visible part of a token. */
function strip(value: unknown): unknown {
  const text = JSON.stringify(value, (key, v) => {
    if (key === 'raw' || key === 'loose') return undefined;
    // In a list that becomes loose later, text becomes paragraphs.
    return key === 'type' && v === 'paragraph' ? 'text' : v;
  });
  return JSON.parse(text);
}

/** Merges lists and tables that were frozen in parts. */
function joined(blocks: Block[]): unknown[] {
  const out: { type: string; items?: unknown[]; ordered?: boolean; frozen?: boolean }[] = [];
  for (const { token } of visible(blocks)) {
    const last = out.at(-1);
    const list = token as Tokens.List;
    if (token.type === 'list' && last?.type === 'list' && last.ordered === list.ordered) {
      last.items?.push(...list.items);
    } else
      out.push({ ...token, ...(token.type === 'list' && { items: [...list.items] }) } as never);
  }
  return out;
}

describe('the block splitter', () => {
  it('equals a full lex when the text is complete, for any document', () => {
    for (let seed = 0; seed < 80; seed++) {
      const text = randomDocument(seed);
      const splitter = new BlockSplitter();
      const next = random(seed + 1);
      for (let at = 0; at < text.length; at += 1 + Math.floor(next() * 60))
        splitter.update(text.slice(0, at));
      const blocks = splitter.finish(text);
      expect(blocks.map((b) => b.token)).toEqual([...lex(normalizeNewlines(text)).tokens]);
    }
  });

  it('covers the text without gaps or overlaps', () => {
    for (let seed = 0; seed < 60; seed++) {
      const text = normalizeNewlines(randomDocument(seed));
      expect(
        lexBlocks(text)
          .map((b) => b.raw)
          .join(''),
      ).toBe(text);
    }
  });

  it('shows while streaming the same as a full lex', () => {
    for (let seed = 0; seed < 60; seed++) {
      // Definitions and loose lists change earlier blocks, so they are excluded here.
      const text = `${randomDocument(seed)
        .replaceAll(/^\[.*$/gm, 'x')
        .replaceAll('[r]', '')}\n\nThe end.`;
      const splitter = new BlockSplitter();
      const next = random(seed + 1);
      let at = 0;
      while (at < text.length) {
        at = Math.min(text.length, at + 1 + Math.floor(next() * 30));
        splitter.update(text.slice(0, at));
      }
      const streamed = strip(joined(splitter.update(text)));
      expect(streamed, `seed ${seed}`).toEqual(strip(joined(lexBlocks(normalizeNewlines(text)))));
    }
  });

  it('gives each block a unique key', () => {
    for (let seed = 0; seed < 60; seed++) {
      const text = randomDocument(seed);
      const splitter = new BlockSplitter();
      for (let at = 0; at < text.length; at += 23) {
        const keys = visible(splitter.update(text.slice(0, at))).map((b) => b.key);
        expect(new Set(keys).size, `seed ${seed} at ${at}`).toBe(keys.length);
      }
    }
  });

  it('keeps the identity of frozen blocks', () => {
    const splitter = new BlockSplitter();
    const text = Array.from({ length: 30 }, (_, i) => `Paragraph ${i}.`).join('\n\n');
    const before = splitter.update(text);
    const after = splitter.update(`${text}\n\nMore.`);
    expect(after.slice(0, 50).every((block, i) => block === before[i])).toBe(true);
  });

  it('resets for another text', () => {
    const splitter = new BlockSplitter();
    splitter.update('a\n\nb\n\nc\n\nd\n\ne\n\nf');
    expect(visible(splitter.update('# other')).map((b) => b.token.type)).toEqual(['heading']);
  });

  it('does not lex an open code block, and freezes it at its closing fence', () => {
    const splitter = new BlockSplitter();
    const open = (text: string) => visible(splitter.update(text)).at(-1);
    expect(open('hi\n\n```js\nlet a')).toMatchObject({
      open: true,
      token: { lang: 'js', text: 'let a' },
    });
    expect(open('hi\n\n```js\nlet a\n``')).toMatchObject({ open: true, token: { text: 'let a' } });
    expect(open('hi\n\n```js\nlet a\n```')).toMatchObject({ token: { text: 'let a' } });
    const closed = visible(splitter.update('hi\n\n```js\nlet a\n```\nafter')).map(
      (b) => b.token.type,
    );
    expect(closed).toEqual(['paragraph', 'code', 'paragraph']);
    expect(open('hi\n\n```js\nlet a\n```\nafter')?.open).toBeUndefined();
  });

  it('gives a table after a long one its own rows only', () => {
    const rows = (count: number) => '| 1 | 2 |\n'.repeat(count);
    const head = '| a | b |\n| - | - |\n';
    const splitter = new BlockSplitter();
    splitter.update(head + rows(40));
    const tables = visible(splitter.update(`${head + rows(40)}\n${head + rows(1)}| *3`));
    expect(tables.map(({ token }) => (token as Tokens.Table).rows.length)).toEqual([40, 2]);
  });

  it('closes an empty code block', () => {
    const splitter = new BlockSplitter();
    splitter.update('```js\n');
    expect(visible(splitter.update('```js\n```\nx')).map((b) => b.token.type)).toEqual([
      'code',
      'paragraph',
    ]);
  });

  it('marks blocks that may contain links once definitions are known', () => {
    const blocks = visible(new BlockSplitter().finish('see [r]\n\nplain\n\n[r]: https://e.org'));
    expect(blocks.map((b) => b.renderKey)).toEqual([
      'see [r]\0links',
      undefined,
      '[r]: https://e.org\0links',
    ]);
  });

  it('survives unbounded nesting', () => {
    expect(visible(new BlockSplitter().finish('> '.repeat(20_000)))).not.toHaveLength(0);
    expect(visible(new BlockSplitter().finish('['.repeat(5_000)))).not.toHaveLength(0);
  });
});

describe('the cost of one more piece', () => {
  const cases: [string, (i: number) => string][] = [
    ['mixed text', (i) => (i % 9 ? `Word **${i}** and \`code\`. ` : `\n\n## Part ${i}\n\n`)],
    ['one code block', (i) => (i ? `line ${i} of code\n` : '```js\n')],
    ['one list', (i) => `- item **${i}** of many\n`],
    ['one table', (i) => (i ? `| ${i} | two |\n` : '| a | b |\n| - | - |\n')],
  ];

  // Counts lexed characters instead of time, which depends on the load of the machine.
  it.each(cases)('is flat in %s', (_, piece) => {
    const splitter = new BlockSplitter();
    const spy = vi.spyOn(Lexer.prototype, 'lex');
    let text = '';
    const live: number[] = [];
    for (let i = 0; i < 3000; i++) {
      text += piece(i);
      spy.mockClear();
      splitter.update(text);
      live.push(spy.mock.calls.reduce((sum, [source]) => sum + source.length, 0));
    }
    spy.mockRestore();
    const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    expect(mean(live.slice(-500))).toBeLessThan(Math.max(100, 1.3 * mean(live.slice(200, 700))));
  });
});
