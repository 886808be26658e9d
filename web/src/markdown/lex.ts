import {
  getDefaults,
  Lexer,
  type Links,
  type MarkedOptions,
  type Token,
  type Tokens,
} from 'marked';
import { blockMath, blockMathStart, inlineMath, inlineMathStart } from './math-syntax';

export interface FootnoteRef extends Tokens.Generic {
  type: 'footnoteRef';
  label: string;
}

export interface FootnoteDef extends Tokens.Generic {
  type: 'footnoteDef';
  label: string;
  tokens: Token[];
}

function footnoteRef(src: string): FootnoteRef | undefined {
  const m = /^\[\^([^\]\s]{1,64})\]/.exec(src);
  return m ? { type: 'footnoteRef', raw: m[0], label: m[1] ?? '' } : undefined;
}

function footnoteDef(this: { lexer: Lexer }, src: string): FootnoteDef | undefined {
  const m =
    /^ {0,3}\[\^([^\]\s]{1,64})\]:[ \t]*([^\n]*(?:\n(?!\s*\n| {0,3}\[\^)[^\n]+)*)(?:\n|$)/.exec(
      src,
    );
  if (!m) return undefined;
  const tokens: Token[] = [];
  this.lexer.inline(m[2] ?? '', tokens);
  return { type: 'footnoteDef', raw: m[0], label: m[1] ?? '', tokens };
}

const options: MarkedOptions = {
  ...getDefaults(),
  extensions: {
    renderers: {},
    childTokens: {},
    block: [blockMath, footnoteDef],
    inline: [inlineMath, footnoteRef],
    startBlock: [blockMathStart],
    startInline: [inlineMathStart],
  },
};

export interface Lexed {
  tokens: Token[];
  links: Links;
}

/**
 * Lexes Markdown. `known` are link definitions from earlier text, so that a part of a text
 * resolves them too.
 */
export function lex(text: string, known?: Links): Lexed {
  const lexer = new Lexer(options);
  if (known) Object.assign(lexer.tokens.links, known);
  try {
    const tokens = lexer.lex(text);
    return { tokens, links: tokens.links };
  } catch {
    // Unbounded nesting overflows the stack; show the text as it is.
    const token: Tokens.Paragraph = {
      type: 'paragraph',
      raw: text,
      text,
      tokens: [{ type: 'text', raw: text, text, escaped: true } as Tokens.Text],
    };
    return { tokens: [token], links: {} };
  }
}
