import { createElement, type ReactNode } from 'react';
import temml from 'temml';

/** Temml's tree, before serialization to markup. */
interface Node {
  type?: string;
  text?: string;
  attributes?: Record<string, string>;
  classes?: string[];
  style?: Record<string, string>;
  children?: Node[];
}

const ELEMENTS = new Set(
  (
    'math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover ' +
    'mmultiscripts mprescripts mtable mtr mtd mstyle mpadded mphantom menclose merror none'
  ).split(' '),
);

// Attributes for layout only: none with a URL, none that runs code.
const ATTRIBUTES = new Set(
  (
    'accent accentunder columnalign columnlines columnspacing columnspan depth dir display displaystyle ' +
    'fence form height largeop linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize ' +
    'minsize movablelimits notation rowalign rowlines rowspacing rowspan rspace scriptlevel separator ' +
    'stretchy symmetric voffset width'
  ).split(' '),
);

/** TeX as MathML elements; undefined if invalid. */
export function toMath(tex: string, display: boolean): ReactNode | undefined {
  try {
    const tree = temml.__renderToMathMLTree(tex, {
      displayMode: display,
      throwOnError: true,
      trust: false,
      maxExpand: 300,
      maxSize: [20, 40],
    }) as Node;
    return element(tree, 0);
  } catch {
    return undefined;
  }
}

function element(node: Node, key: number): ReactNode {
  if (node.text !== undefined && !node.children) return node.text;
  const children = (node.children ?? []).map(element);
  const type = node.type ?? '';
  if (!ELEMENTS.has(type)) return children;
  const props: Record<string, unknown> = { key };
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    if (ATTRIBUTES.has(name)) props[name] = value;
  }
  const classes = (node.classes ?? []).filter((name) => /^[\w-]+$/.test(name));
  if (classes.length > 0) props.className = classes.join(' ');
  if (node.style && Object.keys(node.style).length > 0) props.style = { ...node.style };
  return createElement(type, props, ...children);
}
