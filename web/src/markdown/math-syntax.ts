import type { Token, TokenizerExtension, Tokens } from 'marked';

export interface MathToken extends Tokens.Generic {
  type: 'math';
  tex: string;
  display: boolean;
}

const BLOCK = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;
const INLINE_DISPLAY = /^(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])/;
const INLINE_PAREN = /^\\\(([\s\S]+?)\\\)/;
// Pandoc's rule: an opening dollar is not followed by a space; a closing one is not preceded by a
// space nor followed by a digit. Prices stay text, with `isMoney` and `opensMath`.
const INLINE_DOLLAR = /^\$(?![\s$])((?:\\[\s\S]|[^\\$\n])*?(?:\\[\s\S]|[^\\$\s]))\$(?![\d$])/;

function token(raw: string, tex: string, display: boolean): MathToken {
  return { type: 'math', raw, tex: tex.trim(), display };
}

export function blockMath(src: string): MathToken | undefined {
  const m = BLOCK.exec(src);
  return m ? token(m[0], m[1] ?? m[2] ?? '', true) : undefined;
}

/** `before`: the tokens before `src` in the same element. */
export function inlineMath(src: string, before: Token[] = []): MathToken | undefined {
  let m = INLINE_DISPLAY.exec(src);
  if (m) return token(m[0], m[1] ?? m[2] ?? '', true);
  m = INLINE_PAREN.exec(src);
  if (m) return token(m[0], m[1] ?? '', false);
  m = opensMath(before) ? INLINE_DOLLAR.exec(src) : null;
  const tex = m?.[1] ?? '';
  return m && !isMoney(tex, src.charAt(m[0].length)) ? token(m[0], tex, false) : undefined;
}

/** Behind a letter, a digit or another dollar it is a currency: `A$5`, `6$`. */
function opensMath(before: Token[]): boolean {
  return !/[\p{L}\p{N}$]$/u.test(before.at(-1)?.raw ?? '');
}

/** Words that are neither a command nor the argument of one, such as `\text{ cm}`. */
const COMMAND = /\\[a-zA-Z]+\s*(?:\{[^{}]*\})?/g;

/** The text between two dollars, and what follows them. */
function isMoney(text: string, next: string): boolean {
  // `$5, they paid 6$`, but `$2x + 3y$`.
  if (/^\d/.test(text) && /\p{L}{2}/u.test(text.replace(COMMAND, ' '))) return true;
  // `$HOME:$PATH`, but `$n$th` and `$x_{1}$s`.
  return /\p{L}/u.test(next) && !/^\p{L}$|[\d)}]$/u.test(text);
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
