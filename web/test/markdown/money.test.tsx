import { renderToStaticMarkup } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { BlockView } from '../../src/markdown/render';
import { BlockSplitter } from '../../src/markdown/splitter';

const html = (splitter: BlockSplitter, text: string, whole: boolean) =>
  (whole ? splitter.finish(text) : splitter.update(text))
    .map((block) => renderToStaticMarkup(<BlockView block={block} />))
    .join('');

/** The formulas of a text, and those that were drawn while it grew letter by letter. */
function formulas(text: string) {
  const splitter = new BlockSplitter();
  const tex = (drawn: string) =>
    [...drawn.matchAll(/class="md-math(?: display)?"><code>([^<]*)/g)].map((m) => m[1] ?? '');
  const growing: string[] = [];
  for (let at = 1; at <= text.length; at++) {
    growing.push(...tex(html(splitter, text.slice(0, at), false)));
  }
  return { growing: [...new Set(growing)], whole: tex(html(new BlockSplitter(), text, true)) };
}

describe('wp03: money is not math, not even for a moment', () => {
  it.each([
    'It costs $5 and $10.',
    '$10K flat, phase 2 at $8K',
    '**$1.50** or **$2**',
    '**$1.50**/**$2**',
    'saves ~$1,550; later $15.4 a month',
    'US$5/US$6',
    'I paid $5, they paid 6$.',
    '$-5 to $-10',
    '`$5 and $6`',
    '$5–$10',
    '$5-$10',
    '$1M-$2M',
    'A$5 vs. NZ$6',
    '"$5", not "$6"',
    '$FOO:$BAR',
    '$HOME/$USER/bin',
    '5$ bis 10$, dann 15$',
    'It is $5 (or 4€) and then 6$, all in all.',
    'a\n\n    $5-$',
    '```\n$5-$6\n```',
    '| a | b |\n| - | - |\n| $5 | $6 |',
    '- $5/month\n- $6/year',
    '50$/$60 and $',
    'R$5–R$10',
  ])('%j', (text) => {
    expect(formulas(text)).toEqual({ growing: [], whole: [] });
  });

  it.each([
    ['the odds are $\\$0.60$ each', ['\\$0.60']],
    ['$x^2$ costs $3', ['x^2']],
    ['$a$, $b$ and $n$-th', ['a', 'b', 'n']],
    ['the $n$th and the $x_{1}$s', ['n', 'x_{1}']],
    ['$f: A \\to B$', ['f: A \\to B']],
    ['$2x + 3y$ holds', ['2x + 3y']],
    ['$5 \\text{ cm}$ and $3\\sin x$', ['5 \\text{ cm}', '3\\sin x']],
    ['**$x$**', ['x']],
    ['($x$) "$y$"', ['x', 'y']],
    ['$$E=mc^2$$', ['E=mc^2']],
    ['so $$E=mc^2$$ holds', ['E=mc^2']],
    ['$$\nE=mc^2\n$$', ['E=mc^2']],
    ['\\(a\\) and \\[b\\]', ['a', 'b']],
  ])('%j is math, drawn once', (text, tex) => {
    const { growing, whole } = formulas(text);
    expect(whole).toEqual(tex);
    // Nothing else was drawn before.
    expect(tex).toEqual(expect.arrayContaining(growing));
  });

  it('shows a dollar at the end as it is', () => {
    const last = (text: string) => html(new BlockSplitter(), text, false);
    expect(last('It costs $')).toContain('It costs $<');
    expect(last('`a $')).toContain('>a $<');
    expect(last('```\na $')).toContain('a $');
    expect(last('a \\$')).toContain('a $<');
  });
});
