import { renderToStaticMarkup } from 'preact-render-to-string';
import { describe, expect, it, vi } from 'vitest';
import { Markdown } from '../../src/markdown/Markdown';
import { HOSTILE } from '../corpus/hostile';

vi.stubGlobal('matchMedia', () => ({ matches: false }));

/** Elements that the renderer creates; everything else is escaped. */
const ELEMENTS = new Set(
  (
    'a blockquote br button code dd del details div em h3 hr img input li math ol p pre span strong sub sup ' +
    'table tbody td th thead tr ul'
  ).split(' '),
);
const ATTRIBUTES = new Set(
  (
    'alt aria-expanded aria-label aria-pressed checked class data-note dir disabled href rel role scope src start ' +
    'tabindex target title translate type'
  ).split(' '),
);

function elements(html: string): { name: string; attributes: [string, string][] }[] {
  return [...html.matchAll(/<([a-z][\w-]*)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>/gi)].map(
    (match) => ({
      name: match[1] ?? '',
      attributes: [...(match[2] ?? '').matchAll(/([\w-]+)(?:="([^"]*)")?/g)].map((a) => [
        a[1] ?? '',
        a[2] ?? '',
      ]),
    }),
  );
}

function check(text: string, streaming: boolean): void {
  const html = renderToStaticMarkup(<Markdown text={text} streaming={streaming} />);
  const found = elements(html);
  // Every "<" opens or closes one of these elements.
  expect(html.match(/<(?!\/)/g)?.length ?? 0, text).toBe(found.length);
  for (const { name, attributes } of found) {
    expect(ELEMENTS, text).toContain(name);
    for (const [attribute, value] of attributes) {
      expect(ATTRIBUTES, `${text}: ${attribute}`).toContain(attribute);
      if (attribute === 'href') expect(value, text).toMatch(/^(?:https?|mailto):/);
      if (attribute === 'src')
        expect(value, text).toMatch(/^data:image\/(?:png|jpeg|gif|webp);base64,/);
    }
  }
}

describe('hostile Markdown', () => {
  it('has at least 60 payloads', () => expect(HOSTILE.length).toBeGreaterThanOrEqual(60));

  it.each(HOSTILE.map((text, i) => [i, text] as const))('%i makes no unsafe element', (_, text) => {
    check(text, false);
    check(text, true);
    for (let at = 1; at < Math.min(text.length, 120); at++) check(text.slice(0, at), true);
  });
});
