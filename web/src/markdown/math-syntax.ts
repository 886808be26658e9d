import type { TokenizerExtension, Tokens } from 'marked';

export interface MathToken extends Tokens.Generic {
  type: 'math';
  tex: string;
  display: boolean;
}

const BLOCK = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;
const INLINE_DISPLAY = /^(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])/;
const INLINE_PAREN = /^\\\(([\s\S]+?)\\\)/;
// Pandoc's rule: an opening dollar is not followed by a space; a closing one is not preceded by a
// space nor followed by a digit. Prices stay text.
const INLINE_DOLLAR = /^\$(?![\s$])((?:\\[\s\S]|[^\\$\n])*?(?:\\[\s\S]|[^\\$\s]))\$(?![\d$])/;

function token(raw: string, tex: string, display: boolean): MathToken {
  return { type: 'math', raw, tex: tex.trim(), display };
}

export function blockMath(src: string): MathToken | undefined {
  const m = BLOCK.exec(src);
  return m ? token(m[0], m[1] ?? m[2] ?? '', true) : undefined;
}

export function inlineMath(src: string): MathToken | undefined {
  let m = INLINE_DISPLAY.exec(src);
  if (m) return token(m[0], m[1] ?? m[2] ?? '', true);
  m = INLINE_PAREN.exec(src) ?? INLINE_DOLLAR.exec(src);
  return m ? token(m[0], m[1] ?? '', false) : undefined;
}

/** Index at which block math interrupts a paragraph. */
export function blockMathStart(src: string): number | undefined {
  const at = src.search(/(?:^|\n) {0,3}(?:\$\$|\\\[)/);
  return at < 0 ? undefined : at;
}

export function inlineMathStart(src: string): number | undefined {
  const at = src.search(/\$|\\[([]/);
  return at < 0 ? undefined : at;
}

export type { TokenizerExtension };
