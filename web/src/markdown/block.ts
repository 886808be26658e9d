import type { Token } from 'marked';

/** A block of the document. `key` is its offset, so it survives a re-lex. */
export interface Block {
  key: number;
  raw: string;
  token: Token;
  /** Identity of the rendered block, if it depends on more than `raw`. */
  renderKey?: string;
  /** Set while a code block has no closing fence. */
  open?: boolean;
}
