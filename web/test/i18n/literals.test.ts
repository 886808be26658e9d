import { parseSync } from 'vite';
import { describe, expect, it } from 'vitest';
import { type Node, walk } from '../../vite/messages';
import { sources } from './sources';

/** Attributes and members whose texts a user reads or hears. */
const SHOWN = new Set(
  (
    'alt aria-description aria-label aria-roledescription aria-valuetext caption cause excerpt ' +
    'group hint label message name placeholder problem text title word'
  ).split(' '),
);

/** Calls whose texts are shown, with the number of the argument. */
const CALLS: Record<string, number> = { notify: 0, announce: 0, copyText: 1, Error: 0 };

/** Names that are the same in every language, and texts that are no part of the page. */
const SAME = new Set(
  (
    'Trunkline Python JavaScript curl Esc Preact marked highlight.js Temml MIT BSD-3-Clause ' +
    'trunkline keygen Ctrl Shift Alt Enter model ×'
  ).split(' '),
);

/** Errors that are caught and never shown, prompts to models, a line of a shell and a file's name. */
const UNSEEN =
  /^(?:IndexedDB |no speech recognition|Your last message was cut|Write a title|export |response\.)/;

/** Files of names that others gave, such as those of OpenAI's reference and of its fields. */
const NAMES_OF_OTHERS = new Set([
  'docs/examples.ts',
  'docs/forwarded-calls.ts',
  'docs/spec.ts',
  'snippets/index.ts',
  'markdown/languages.ts',
]);

const isText = (text: string) =>
  /\p{L}{2}/u.test(text) &&
  !UNSEEN.test(text) &&
  text.split(/[\s·,:.()]+/).some((word) => /\p{L}/u.test(word) && !SAME.has(word));

/** A sentence, or words that begin with a capital letter: no name of a class, an event or a key. */
const isProse = (text: string) => /^\p{Lu}\p{Ll}+(?: \p{L}+)+|^\p{Lu}\p{Ll}+\.$/u.test(text.trim());

/** The texts in `code` that no language but English has. */
function literals(code: string, file: string): string[] {
  const found: string[] = [];
  const { program } = parseSync(file, code, { lang: file.endsWith('x') ? 'tsx' : 'ts' });
  walk(program, (node, around) => {
    const text = textOf(node);
    if (text === undefined || !isText(text)) return;
    if (node.type === 'JSXText' || isShown(node, around) || isProse(text)) found.push(text.trim());
  });
  return found;
}

function textOf(node: Node): string | undefined {
  if (node.type === 'JSXText') return node.value as string;
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type === 'TemplateElement') return (node.value as { cooked: string }).cooked;
  return undefined;
}

/** Parts of an expression whose value is that of the whole. */
const THROUGH = new Set([
  'ConditionalExpression',
  'LogicalExpression',
  'TemplateLiteral',
  'JSXExpressionContainer',
  'ParenthesizedExpression',
  'ArrowFunctionExpression',
]);

function isShown(node: Node, around: Node[]): boolean {
  let inner = node;
  for (const outer of [...around].reverse()) {
    // What is compared or tested is not shown.
    if (outer.type === 'ConditionalExpression' && outer.test === inner) return false;
    if (!THROUGH.has(outer.type)) return takes(outer, inner, around);
    // A child of an element.
    if (outer.type === 'JSXExpressionContainer' && !isAttribute(around, outer)) return true;
    inner = outer;
  }
  return false;
}

const isAttribute = (around: Node[], container: Node) =>
  around.some((node) => node.type === 'JSXAttribute' && node.value === container);

function takes(outer: Node, inner: Node, around: Node[]): boolean {
  const nameOf = (node: unknown) => {
    const { name, value } = (node ?? {}) as { name?: string; value?: string };
    return name ?? value ?? '';
  };
  if (outer.type === 'JSXAttribute') {
    const element = around.findLast((node) => node.type === 'JSXOpeningElement');
    if (nameOf(element?.name) === 'Icon') return false;
    return SHOWN.has(nameOf(outer.name));
  }
  if (outer.type === 'Property') return outer.value === inner && SHOWN.has(nameOf(outer.key));
  if (outer.type === 'CallExpression' || outer.type === 'NewExpression') {
    const at = CALLS[nameOf(outer.callee)];
    return at !== undefined && (outer.arguments as Node[])[at] === inner;
  }
  return false;
}

describe('every text of the page is in its languages', () => {
  it.each([...sources()])('%s', (file, code) => {
    if (!NAMES_OF_OTHERS.has(file)) expect(literals(code, file)).toEqual([]);
  });

  it('finds one wherever it is', () => {
    const code = `
      const a = <p title="A tip" className="wide page">Some words {n > 1 ? 'more' : ''}</p>;
      const b = <p aria-label={open ? \`Close \${name}\` : undefined}>{\`in \${n}\`}</p>;
      const c = [{ label: 'undo', run: () => {} }, { kind: 'plain' }];
      notify('gone');
      const d = 'The whole sentence.';
      if (event.key === 'Enter' || event.key === 'ArrowDown') go('#/c/new');
    `;
    expect(literals(code, 'a.tsx')).toEqual([
      'A tip',
      'Some words',
      'more',
      'Close',
      'in',
      'undo',
      'gone',
      'The whole sentence.',
    ]);
  });
});
