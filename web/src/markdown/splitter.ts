import type { Links, Token, Tokens } from 'marked';
import { lex } from './lex';
import { cutOf, type LongParagraph } from './paragraph';
import { closePartial } from './partial';

/** One block of a document. `key` is where it starts, so it survives a re-lex. */
export interface Block {
  key: number;
  raw: string;
  token: Token;
  /** What the block looks like, where that is more than its raw text. */
  look?: string;
  /** Set while a code block has no closing fence yet. */
  open?: boolean;
}

/** What is still likely to change: a list, the gap after it, what follows. */
const LIVE = 3;
/** From here on a list or table is frozen in parts while it grows. */
const LONG = 24;
const KEEP = 4;

const PARTIAL = new Set(['paragraph', 'heading', 'list', 'blockquote', 'table', 'text', 'html']);

/**
 * Splits a growing text into blocks. All but the last few are never looked at
 * again while the text grows, so that one more token costs the same at the end
 * of a long answer as at its start. `finish` lexes the whole text once, for
 * references that point across blocks.
 */
export class BlockSplitter {
  private source = '';
  private frozen: Block[] = [];
  private frozenLength = 0;
  private links: Links = {};
  private table: { key: number; head: string; rows: Tokens.TableCell[][] } | undefined;
  private paragraph: { key: number; parts: Token[][] } | undefined;
  private fence: { closer: RegExp; lang: string; body: number; scanned: number } | undefined;

  /** The blocks of `text` so far. A text that does not continue the last one starts anew. */
  update(text: string): Block[] {
    const source = normalise(text);
    if (!continues(source, this.source)) this.reset();
    this.source = source;
    for (;;) {
      const open = this.openFence();
      if (open) return [...this.frozen, open];
      const blocks = this.tail();
      if (!this.fence) return [...this.frozen, ...blocks];
    }
  }

  finish(text: string): Block[] {
    this.reset();
    this.source = '';
    return lexBlocks(normalise(text));
  }

  private reset(): void {
    this.frozen = [];
    this.frozenLength = 0;
    this.links = {};
    this.table = undefined;
    this.paragraph = undefined;
    this.fence = undefined;
  }

  private tail(): Block[] {
    const { tokens, links } = lex(
      (this.table?.head ?? '') + this.source.slice(this.frozenLength),
      this.links,
    );
    if (this.table && tokens[0]?.type === 'table') this.joinTable(tokens[0] as Tokens.Table);
    if (this.paragraph && tokens[0]) this.joinParagraph(tokens[0]);
    this.links = { ...links };
    this.freeze(tokens);
    if (this.fence) return [];
    let at = this.frozenLength;
    const out: Block[] = [];
    for (const token of tokens) {
      const grown = out.length === 0 ? this.table : undefined;
      out.push(out.length === 0 ? this.first(token) : { key: at, raw: token.raw, token });
      at += token.raw.length - (grown?.head.length ?? 0);
    }
    const last = out.at(-1);
    if (last && PARTIAL.has(last.token.type)) this.closeLast(last);
    return out;
  }

  /** Freezes what is settled; `tokens` keeps the rest. */
  private freeze(tokens: Token[]): void {
    while (tokens.length > LIVE) this.freezeFirst(tokens);
    // A code block that is being written may be the longest of all.
    const fenced = tokens.findIndex((t) => t.type === 'code' && opening(t.raw) !== undefined);
    if (fenced >= 0 && fenced === tokens.length - 1) {
      const fence = opening(tokens[fenced]?.raw ?? '');
      if (fence && !isClosed(tokens[fenced]?.raw ?? '', fence.closer)) {
        while (tokens.length > 1) this.freezeFirst(tokens);
        const body = this.frozenLength + fence.body;
        this.fence = { ...fence, body, scanned: body - 1 };
        return;
      }
    }
    if (tokens.at(-1)?.type === 'paragraph' && cutOf(tokens.at(-1)?.raw ?? '') > 0) {
      while (tokens.length > 1) this.freezeFirst(tokens);
      this.freezeText(tokens[0] as LongParagraph);
    }
    if (tokens.length === 1) {
      const only = tokens[0];
      if (only?.type === 'list') this.freezeItems(only as Tokens.List);
      if (only?.type === 'table') this.freezeRows(only as Tokens.Table);
    }
  }

  private freezeFirst(tokens: Token[]): void {
    const token = tokens.shift();
    if (!token) return;
    this.frozen.push(this.first(token));
    this.frozenLength += token.raw.length - (this.table?.head.length ?? 0);
    this.table = undefined;
    this.paragraph = undefined;
  }

  /** The first block behind the frozen ones, which may be the rest of one. */
  private first(token: Token): Block {
    if (this.table) return tableBlock(this.table.key, token as Tokens.Table);
    const { raw } = token;
    const parts = (token as LongParagraph).parts;
    if (!this.paragraph || !parts) return { key: this.frozenLength, raw, token };
    return { key: this.paragraph.key, raw, token, look: `${raw}\0${parts.length}` };
  }

  private freezeItems(list: Tokens.List): void {
    if (list.items.length < LONG) return;
    const items = list.items.splice(0, list.items.length - KEEP);
    const raw = items.map((item) => item.raw).join('');
    if (!this.source.startsWith(raw, this.frozenLength)) {
      list.items.unshift(...items);
      return;
    }
    this.frozen.push({ key: this.frozenLength, raw, token: { ...list, raw, items } });
    this.frozenLength += raw.length;
    list.raw = list.raw.slice(raw.length);
    if (typeof list.start === 'number') list.start += items.length;
  }

  private freezeRows(table: Tokens.Table): void {
    const lines = table.raw.split('\n');
    const fresh = table.rows.length - (this.table?.rows.length ?? 0);
    if (fresh < LONG) return;
    const head = this.table?.head ?? `${lines[0]}\n${lines[1]}\n`;
    const settled = fresh - KEEP;
    const raw = lines.slice(2, 2 + settled).join('\n');
    const key = this.table?.key ?? this.frozenLength;
    this.frozenLength += raw.length + 1 + (this.table ? 0 : head.length);
    this.table = { key, head, rows: table.rows.slice(0, table.rows.length - KEEP) };
    table.raw = head + lines.slice(2 + settled).join('\n');
  }

  private freezeText(paragraph: LongParagraph): void {
    const cut = cutOf(paragraph.raw);
    const settled = lex(paragraph.raw.slice(0, cut), this.links).tokens[0];
    const rest = lex(paragraph.raw.slice(cut), this.links).tokens[0];
    if (settled?.type !== 'paragraph' || rest?.type !== 'paragraph') return;
    const before = this.paragraph ?? { key: this.frozenLength, parts: [] };
    this.paragraph = { key: before.key, parts: [...before.parts, settled.tokens ?? []] };
    this.frozenLength += cut;
    Object.assign(paragraph, rest, { parts: this.paragraph.parts });
  }

  /** What follows a part of a paragraph belongs to it, unless it has become something else. */
  private joinParagraph(token: Token): void {
    if (!this.paragraph) return;
    if (token.type === 'paragraph') {
      Object.assign(token, { parts: this.paragraph.parts });
      return;
    }
    const { key, parts } = this.paragraph;
    const whole = { type: 'paragraph', raw: '', text: '', tokens: [], parts };
    this.frozen.push({ key, raw: '', token: whole, look: `\0${parts.length}` });
    this.paragraph = undefined;
  }

  private joinTable(table: Tokens.Table): void {
    table.rows = [...(this.table?.rows ?? []), ...table.rows];
  }

  private openFence(): Block | undefined {
    const fence = this.fence;
    if (!fence) return undefined;
    // A closing fence may be cut in the middle: begin at the start of a line.
    fence.closer.lastIndex = fence.scanned;
    const close = fence.closer.exec(this.source);
    if (close) {
      this.closeFence(close.index + close[0].length);
      return undefined;
    }
    fence.scanned = Math.max(fence.body - 1, this.source.lastIndexOf('\n'));
    const raw = this.source.slice(this.frozenLength);
    const text = this.source.slice(fence.body).replace(/\n[ \t]*(?:`{1,}|~{1,})?$/, '');
    const token: Tokens.Code = { type: 'code', raw, lang: fence.lang, text };
    return { key: this.frozenLength, raw, token, open: true };
  }

  /** A code block is settled by its closing fence, whatever follows. */
  private closeFence(end: number): void {
    const raw = this.source.slice(this.frozenLength, end);
    const token = lex(raw).tokens[0];
    if (token) this.frozen.push({ key: this.frozenLength, raw, token });
    this.frozenLength = end;
    this.fence = undefined;
  }

  private closeLast(last: Block): void {
    const closed = closePartial(last.raw);
    if (closed === last.raw) return;
    const token = lex(closed, this.links).tokens[0];
    if (!token) {
      last.token = { type: 'space', raw: last.raw };
      return;
    }
    if (token.type === 'table' && this.table) this.joinTable(token as Tokens.Table);
    const parts = (last.token as LongParagraph).parts;
    if (token.type === 'paragraph' && parts) Object.assign(token, { parts });
    if (token.type === 'list' && last.token.type === 'list') token.start = last.token.start;
    last.token = token;
    last.look = parts ? `${closed}\0${parts.length}` : closed;
  }
}

/** The blocks of a whole text. */
export function lexBlocks(text: string): Block[] {
  let at = 0;
  const { tokens, links } = lex(text);
  const defined = Object.keys(links).length > 0;
  return tokens.map((token) => {
    const block: Block = { key: at, raw: token.raw, token };
    // Now that all definitions are known it may hold links that it lacked.
    if (defined && token.raw.includes('[')) block.look = `${token.raw}\0links`;
    at += token.raw.length;
    return block;
  });
}

/** The raw text of a table that grew in parts is only that of its last part. */
function tableBlock(key: number, token: Tokens.Table): Block {
  return { key, raw: token.raw, token, look: `${token.raw}\0${token.rows?.length}` };
}

/** The lexer counts in `\n`, so the offsets here must too. */
export function normalise(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/**
 * Comparing the whole text each time would cost more with each token. The end
 * of the old one tells as well: an edited text differs in length or there.
 */
function continues(next: string, before: string): boolean {
  const from = Math.max(0, before.length - 64);
  return next.length >= before.length && next.startsWith(before.slice(from), from);
}

/** The opening fence of a code block, unless it is indented code. */
function opening(raw: string): { closer: RegExp; lang: string; body: number } | undefined {
  const m = /^ {0,3}(`{3,}|~{3,})([^\n]*)\n/.exec(raw);
  if (!m) return undefined;
  const mark = m[1] ?? '```';
  const closer = new RegExp(`(?:^|\\n) {0,3}${mark[0]}{${mark.length},}[ \\t]*(?=\\n)`, 'g');
  return { closer, lang: (m[2] ?? '').trim(), body: m[0].length };
}

function isClosed(raw: string, closer: RegExp): boolean {
  closer.lastIndex = raw.indexOf('\n');
  return closer.test(`${raw}\n`);
}
