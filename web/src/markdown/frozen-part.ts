import type { Links, Token, Tokens } from 'marked';
import type { Block } from './block';
import { lex } from './lex';
import { findCut, type LongParagraph } from './paragraph';

/** Items or rows from which a growing list or table is frozen in parts. */
const LONG = 24;
/** Items or rows at its end that may still change. */
const KEEP = 4;

/** The frozen start of a block whose end is still growing. */
export interface FrozenPart {
  /** Offset of the block. */
  key: number;
  /** Text to lex before the rest, so that the rest becomes the same type of block. */
  prefix: string;
  /** Adds the frozen start to the lexed rest. False if the rest became another type of block. */
  join(token: Token): boolean;
  /** Identity of the rendered block; `raw` covers the rest only. */
  renderKey(raw: string, token: Token): string;
  /** The frozen start as a block of its own. */
  alone(): Block;
}

/** The result of freezing the start of a block: `length` characters are never lexed again. */
export interface Frozen {
  length: number;
  /** Set if the rest continues the same block. */
  part?: FrozenPart;
  /** Set if the start is a block of its own. */
  block?: Block;
}

/** Freezes the start of a long block and removes it from `token`. */
export function freezeStart(
  token: Token,
  at: { key: number; source: string; links: Links; part: FrozenPart | undefined },
): Frozen | undefined {
  if (token.type === 'list') return freezeItems(token as Tokens.List, at.key, at.source);
  if (token.type === 'table') return freezeRows(token as Tokens.Table, at.key, at.part);
  if (token.type === 'paragraph')
    return freezeText(token as LongParagraph, at.key, at.links, at.part);
  return undefined;
}

/** A frozen list is a list of its own: the next one continues its numbers. */
function freezeItems(list: Tokens.List, key: number, source: string): Frozen | undefined {
  if (list.items.length < LONG) return undefined;
  const items = list.items.slice(0, list.items.length - KEEP);
  const raw = items.map((item) => item.raw).join('');
  if (!source.startsWith(raw, key)) return undefined;
  const block = { key, raw, token: { ...list, raw, items } };
  list.items = list.items.slice(items.length);
  list.raw = list.raw.slice(raw.length);
  if (typeof list.start === 'number') list.start += items.length;
  return { length: raw.length, block };
}

class FrozenTable implements FrozenPart {
  constructor(
    readonly key: number,
    /** The header and the delimiter row: the rest alone would be no table. */
    readonly prefix: string,
    readonly rows: Tokens.TableCell[][],
  ) {}

  join(token: Token): boolean {
    if (token.type === 'table') token.rows = [...this.rows, ...token.rows];
    return true;
  }

  renderKey(raw: string, token: Token): string {
    return `${raw}\0${(token as Tokens.Table).rows?.length}`;
  }

  alone(): Block {
    const token = lex(this.prefix).tokens[0] as Tokens.Table;
    this.join(token);
    return { key: this.key, raw: '', token, renderKey: this.renderKey('', token) };
  }
}

function freezeRows(
  table: Tokens.Table,
  key: number,
  before: FrozenPart | undefined,
): Frozen | undefined {
  const known = before instanceof FrozenTable ? before : undefined;
  const fresh = table.rows.length - (known?.rows.length ?? 0);
  if (fresh < LONG) return undefined;
  const lines = table.raw.split('\n');
  const head = known?.prefix ?? `${lines[0]}\n${lines[1]}\n`;
  const frozenLines = lines.slice(2, 2 + fresh - KEEP);
  const part = new FrozenTable(known?.key ?? key, head, table.rows.slice(0, -KEEP));
  table.raw = head + lines.slice(2 + fresh - KEEP).join('\n');
  const length = frozenLines.join('\n').length + 1 + (known ? 0 : head.length);
  return { length, part };
}

class FrozenParagraph implements FrozenPart {
  readonly prefix = '';

  constructor(
    readonly key: number,
    readonly parts: Token[][],
  ) {}

  join(token: Token): boolean {
    if (token.type !== 'paragraph') return false;
    Object.assign(token, { parts: this.parts });
    return true;
  }

  renderKey(raw: string): string {
    return `${raw}\0${this.parts.length}`;
  }

  alone(): Block {
    const token = { type: 'paragraph', raw: '', text: '', tokens: [], parts: this.parts };
    return { key: this.key, raw: '', token, renderKey: this.renderKey('') };
  }
}

function freezeText(
  paragraph: LongParagraph,
  key: number,
  links: Links,
  before: FrozenPart | undefined,
): Frozen | undefined {
  const cut = findCut(paragraph.raw);
  if (cut === 0) return undefined;
  const start = lex(paragraph.raw.slice(0, cut), links).tokens[0];
  const rest = lex(paragraph.raw.slice(cut), links).tokens[0];
  if (start?.type !== 'paragraph' || rest?.type !== 'paragraph') return undefined;
  const known = before instanceof FrozenParagraph ? before : undefined;
  const parts = [...(known?.parts ?? []), start.tokens ?? []];
  const part = new FrozenParagraph(known?.key ?? key, parts);
  Object.assign(paragraph, rest);
  part.join(paragraph);
  return { length: cut, part };
}
