import { render } from 'preact-render-to-string';
import { describe, expect, it, vi } from 'vitest';
import type { Block } from '../../src/markdown/block';
import { findCut } from '../../src/markdown/paragraph';
import { BlockView } from '../../src/markdown/render';
import { BlockSplitter } from '../../src/markdown/splitter';
import { bare } from './bare';

// Thousands of growing texts: may take more than the default five seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let lexed = 0;
vi.mock('../../src/markdown/lex', async (original) => {
  const real = await original<typeof import('../../src/markdown/lex')>();
  const lex: typeof real.lex = (text, known) => {
    lexed += text.length;
    return real.lex(text, known);
  };
  return { ...real, lex };
});

const html = (blocks: Block[]) =>
  bare(blocks.map((block) => render(<BlockView key={block.key} block={block} />)).join(''));
const plain = (text: string) => text.replaceAll(/<[^>]*>/g, '').replaceAll(/\s+/g, ' ');

const SENTENCE =
  'The *gateway* takes a **request with [a link](https://example.com/a_b)** and `code here` on. ';
const long = SENTENCE.repeat(400).trim();

describe('a very long paragraph', () => {
  it('stays one paragraph while it grows, and renders as at its end', () => {
    const splitter = new BlockSplitter();
    for (let at = 0; at < long.length; at += 97) {
      const blocks = splitter.update(long.slice(0, at));
      expect(blocks.length).toBeLessThan(2);
      expect(new Set(blocks.map((block) => block.key)).size).toBe(blocks.length);
    }
    const growing = html(splitter.update(long));
    expect(growing).toBe(html(new BlockSplitter().finish(long)));
    expect(growing.match(/<p>/g)).toHaveLength(1);
  });

  it('costs no more at its end than at its start', () => {
    const splitter = new BlockSplitter();
    const costs: number[] = [];
    for (let at = 0; at < long.length; at += 20) {
      lexed = 0;
      splitter.update(long.slice(0, at));
      costs.push(lexed);
    }
    expect(Math.max(...costs.slice(-500))).toBeLessThan(14_000);
    expect(Math.max(...costs)).toBeLessThan(14_000);
  });

  it.each([
    ['a list', '- one\n- two\n'],
    ['a heading', '## Further\n'],
    ['another paragraph', 'And *on* it goes.\n'],
    ['code', '```js\nlet a;\n```\n'],
  ])('is followed by %s', (_, next) => {
    const text = `First.\n\n${long}\n\n${next}`;
    const splitter = new BlockSplitter();
    for (let at = 0; at < text.length; at += 53) splitter.update(text.slice(0, at));
    const growing = html(splitter.update(text));
    expect(plain(growing)).toBe(plain(html(new BlockSplitter().finish(text))));
    expect(growing.match(/<p>/g)).toHaveLength(next.startsWith('And') ? 3 : 2);
  });

  it('resets for another text', () => {
    const splitter = new BlockSplitter();
    splitter.update(long);
    expect(html(splitter.update('Short.'))).toBe('<p>Short.</p>');
  });

  it.each([
    ['short text', 'word '.repeat(100)],
    ['open emphasis', `**${'word '.repeat(1000)}`],
    ['open code', `\`${'word '.repeat(1000)}`],
    ['an open formula', `$${'word '.repeat(1000)}`],
    ['an open tag', `<a ${'word '.repeat(1000)}`],
    ['one word', 'x'.repeat(9000)],
  ])('is not cut in %s', (_, raw) => {
    expect(findCut(raw)).toBe(0);
  });
});
