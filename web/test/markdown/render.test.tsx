import type { Tokens } from 'marked';
import { renderToStaticMarkup } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { colouredChunks, merge, plainChunks } from '../../src/markdown/chunks';
import { tableToCsv } from '../../src/markdown/csv';
import { highlight, MAX_HIGHLIGHT } from '../../src/markdown/highlight';
import { fileExtension, languageOf, nameOf } from '../../src/markdown/languages';
import { lex } from '../../src/markdown/lex';
import { Markdown } from '../../src/markdown/Markdown';
import { toMath } from '../../src/markdown/math-render';
import { sameBlock } from '../../src/markdown/render';
import { decodeEntities } from '../../src/markdown/text';
import { hostOf, inlineImage, safeHref } from '../../src/markdown/url';
import { bare } from './bare';
import { randomDocument } from './documents';

const html = (text: string, streaming = false) =>
  bare(renderToStaticMarkup(<Markdown text={text} streaming={streaming} />)).replace(
    /^<div class="md[^>]*>|<\/div>$/g,
    '',
  );

describe('Markdown as elements', () => {
  it.each([
    [
      'a **b** _c_ ~~d~~ `e&amp;`',
      '<p>a <strong>b</strong> <em>c</em> <del>d</del> <code>e&amp;amp;</code></p>',
    ],
    ['a  \nb', '<p>a<br/>b</p>'],
    ['a<br>b<b>c', '<p>a<br/>b&lt;b>c</p>'],
    ['&copy; &amp; &nope; \\*', '<p>© &amp; &amp;nope; *</p>'],
    ['# A\n\n##### B', '<h3 class="md-h1">A</h3><h3 class="md-h4">B</h3>'],
    ['3. a\n4. b', '<ol start="3"><li>a</li><li>b</li></ol>'],
    ['- a\n\n- b', '<ul><li><p>a</p></li><li><p>b</p></li></ul>'],
    ['> a', '<blockquote><p>a</p></blockquote>'],
    ['---', '<hr/>'],
    ['<div>\nx\n</div>', '<p class="md-html">&lt;div>\nx\n&lt;/div></p>'],
    ['$x$', '<p><span class="md-math"><code>x</code></span></p>'],
    [
      '[r]: https://e.org\n\n[a][r]',
      '<p><a href="https://e.org/" target="_blank" rel="noopener noreferrer" title="https://e.org/">a</a></p>',
    ],
  ])('%j', (text, expected) => {
    expect(html(text)).toBe(expected);
  });

  it('shows tasks, footnotes and tables', () => {
    expect(html('- [x] a\n- [ ] b')).toContain('aria-label="Done"');
    expect(html('a[^1]\n\n[^1]: note')).toContain('data-note="1"');
    expect(html('| a |\n| :-: |\n| b |')).toContain('<td class="to-center">b</td>');
  });

  it('keeps a code block and its language', () => {
    const out = html('```Rust,ignore\nfn a() {}\n```');
    expect(out).toContain('rust');
    expect(out).toContain('fn a() {}');
  });

  it('renders any document, complete or truncated', () => {
    for (let seed = 0; seed < 60; seed++) {
      const text = randomDocument(seed);
      expect(html(text).length).toBeGreaterThan(0);
      html(text.slice(0, text.length / 2), true);
    }
  });

  it('stops at an unrealistic nesting depth', () => {
    expect(html(`${'> '.repeat(200)}x`)).toContain('x');
    expect(html(`${'**a _b '.repeat(60)}x${'_**'.repeat(60)}`)).toContain('x');
  });
});

it('blocks are the same if they render the same', () => {
  const block = (key: number, raw: string, renderKey?: string) => ({
    key,
    raw,
    token: { type: 'x', raw },
    ...(renderKey && { renderKey }),
  });
  expect(sameBlock(block(0, 'a'), block(0, 'a'))).toBe(true);
  expect(sameBlock(block(0, 'a'), block(1, 'a'))).toBe(false);
  expect(sameBlock(block(0, 'a'), block(0, 'a', 'b'))).toBe(false);
});

it('links open web URLs only', () => {
  expect(safeHref('https://e.org/a b')).toBe('https://e.org/a%20b');
  expect(safeHref('mailto:a@e.org')).toBe('mailto:a@e.org');
  for (const bad of [
    'javascript:1',
    'https://a@e.org/',
    '//e.org',
    '/x',
    '#x',
    'https://',
    'ht\ntps://e.org',
    'ftp://e.org',
  ]) {
    expect(safeHref(bad), bad).toBeUndefined();
  }
  expect(hostOf('https://e.org:8/x')).toBe('e.org:8');
  expect(hostOf('no')).toBe('');
  expect(inlineImage('data:image/png;base64,AAAA')).toBeDefined();
  expect(inlineImage('data:image/svg+xml;base64,AAAA')).toBeUndefined();
});

it('entities are decoded, unknown ones kept', () => {
  expect(decodeEntities('&lt;&#65;&#x42;&#0;&#xD800;&#x110000;&constructor;&')).toBe(
    '<AB\ufffd\ufffd\ufffd&constructor;&',
  );
});

it('a table becomes CSV without executable formulas', () => {
  const table = lex(
    '| a | b |\n| - | - |\n| =1+1 | "q", **c**<br>d |\n| -5 | `x` &amp; [l](https://e.org) $y$ |',
  ).tokens[0];
  expect(tableToCsv(table as Tokens.Table)).toBe('a,b\r\n\'=1+1,"""q"", c\nd"\r\n-5,x & l y\r\n');
});

describe('code', () => {
  it('resolves language aliases', () => {
    expect([
      languageOf('ts'),
      languageOf('Python3 title=x'),
      languageOf('constructor'),
      languageOf(''),
    ]).toEqual(['typescript', 'python', '', '']);
    expect([
      fileExtension('py'),
      fileExtension('tsx'),
      fileExtension('zig'),
      fileExtension('toml'),
    ]).toEqual(['py', 'tsx', 'txt', 'toml']);
    expect(nameOf('js {1,2}')).toBe('js');
  });

  it('is highlighted without HTML, and its text is unchanged', async () => {
    const code = `const a = \`x \${1 + 2} <b>\`; // done\n`;
    const runs = await highlight(code, 'typescript');
    expect(runs?.map((run) => run.text).join('')).toBe(code);
    expect(runs?.find((run) => run.text === 'const')?.kind).toBe('keyword');
    const mixed = '<script>let a = 1</script><style>b { c: d }</style>';
    expect((await highlight(mixed, 'xml'))?.map((run) => run.text).join('')).toBe(mixed);
  });

  it('stays plain if too long or in an unknown language', async () => {
    expect(await highlight('x'.repeat(MAX_HIGHLIGHT + 1), 'json')).toBeUndefined();
    expect(await highlight('x', 'klingon')).toBeUndefined();
  });

  it('is split into the same groups of lines, highlighted or not', () => {
    const code = Array.from({ length: 130 }, (_, i) => `line ${i}`).join('\n');
    const plain = plainChunks(code);
    const coloured = colouredChunks([
      { kind: 'a', text: code.slice(0, 400) },
      { kind: '', text: code.slice(400) },
    ]);
    const texts = (chunks: typeof plain) => chunks.map((c) => c.runs.map((r) => r.text).join(''));
    expect(texts(plain)).toEqual(texts(coloured));
    expect(texts(plain).join('')).toBe(code);
    expect(plainChunks('')).toHaveLength(1);
    expect(colouredChunks([])).toHaveLength(1);
  });

  it('shows text that is not highlighted yet', () => {
    expect(merge([{ kind: 'k', text: 'ab' }], 'abcd').map((run) => run.text)).toEqual(['ab', 'cd']);
    const all = [{ kind: 'k', text: 'ab' }];
    expect(merge(all, 'ab')).toBe(all);
  });
});

describe('formulas', () => {
  const mathml = (tex: string, display = false) =>
    renderToStaticMarkup(<div>{toMath(tex, display)}</div>);

  it('become MathML', () => {
    expect(mathml('\\frac{1}{2}')).toContain('<mfrac><mn>1</mn><mn>2</mn></mfrac>');
    expect(mathml('x', true)).toContain('display="block"');
    expect(mathml('\\begin{pmatrix} a & b \\end{pmatrix}')).toContain('<mtd');
  });

  it('are undefined if invalid', () => {
    expect(toMath('\\frac{1}{', false)).toBeUndefined();
    expect(toMath('\\def\\a{\\a\\a}\\a', false)).toBeUndefined();
  });

  it('contain no links', () => {
    for (const tex of [
      '\\href{javascript:1}{x}',
      '\\url{https://e.org}',
      '\\includegraphics{https://e.org/i.png}',
      '\\class{a b}{x}',
      '\\id{a}{x}',
    ]) {
      expect(mathml(tex), tex).not.toMatch(/href|src|onclick| id=/);
    }
  });
});
