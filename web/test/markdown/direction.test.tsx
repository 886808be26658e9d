import { renderToStaticMarkup } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { directionOf } from '../../src/markdown/direction';
import { Markdown } from '../../src/markdown/Markdown';

const html = (text: string) => renderToStaticMarkup(<Markdown text={text} />);

describe('wp05: the direction of a block', () => {
  it.each([
    ['نص', 'rtl'],
    ['שלום world', 'rtl'],
    ['ފަހެ', 'rtl'],
    ['2. (!) «نص»', 'rtl'],
    ['`npm run` https://example.com/a تشغيل', 'rtl'],
    ['Docker هو', 'ltr'],
    ['日本語 نص', 'ltr'],
    ['123 `نص`', undefined],
    ['', undefined],
  ])('%s', (text, direction) => {
    expect(directionOf(text)).toBe(direction);
  });

  it('is found by the browser in paragraphs, headings, cells and links', () => {
    for (const element of ['p', 'h3', 'a']) {
      expect(html('# Title\n\nText [link](https://e.org)')).toContain(`<${element} dir="auto"`);
    }
    expect(html('|a|b|\n|-|-|\n|c|d|')).toMatch(/<th dir="auto".*<td dir="auto"/);
    expect(html('<x>')).toContain('<p dir="auto" class="md-html">');
    expect(html('a[^1]\n\n[^1]: نص')).toContain('<div dir="auto">');
  });

  it('is that of the text within where a block contains blocks', () => {
    expect(html('- نص\n- b')).toContain('<ul dir="rtl">');
    expect(html('1. نص')).toContain('<ol dir="rtl"');
    expect(html('- a')).toContain('<ul dir="ltr">');
    expect(html('- 1')).toContain('<ul>');
    expect(html('> نص')).toContain('<blockquote dir="rtl">');
    expect(html('|نص|b|\n|-|-|')).toContain('<table dir="rtl">');
    expect(html('a[^1]\n\n[^1]: نص')).toMatch(/<div dir="rtl"[^>]* class="md-note"/);
  });

  it('is from the left in code and math', () => {
    expect(html('نص `a b`')).toContain('<code dir="ltr">');
    expect(html('```\na\n```')).toContain('<div dir="ltr" class="md-code">');
    expect(html('$x$')).toContain('<span dir="ltr" class="md-math">');
  });
});
