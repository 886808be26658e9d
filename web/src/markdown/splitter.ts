import type { Links, Token } from 'marked';
import type { Block } from './block';
import { type FrozenPart, freezeStart } from './frozen-part';
import { lex } from './lex';
import { OpenFence } from './open-fence';
import { findCut } from './paragraph';
import { closePartial } from './partial';

/** Blocks at the end that may still change: a list, the gap after it, the next block. */
const LIVE = 3;

const PARTIAL = new Set(['paragraph', 'heading', 'list', 'blockquote', 'table', 'text', 'html']);

/**
 * Splits a growing text into blocks. All but the last few are frozen and never lexed again, so that
 * a token costs the same at the end of a long answer as at its start. A long list, table or
 * paragraph at the end is frozen in parts (`frozen-part.ts`), an open code block is only scanned for
 * its end (`open-fence.ts`). `finish` lexes the whole text once, for references across blocks.
 */
export class BlockSplitter {
  private source = '';
  private frozen: Block[] = [];
  private frozenLength = 0;
  private links: Links = {};
  private part: FrozenPart | undefined;
  private fence: OpenFence | undefined;

  /** The blocks of `text`. A text that does not continue the previous one resets the splitter. */
  update(text: string): Block[] {
    const source = normalizeNewlines(text);
    if (!isContinuation(source, this.source)) this.reset();
    this.source = source;
    for (;;) {
      const open = this.openCode();
      if (open) return [...this.frozen, open];
      const blocks = this.tail();
      if (!this.fence) return [...this.frozen, ...blocks];
    }
  }

  finish(text: string): Block[] {
    this.reset();
    this.source = '';
    return lexBlocks(normalizeNewlines(text));
  }

  private reset(): void {
    this.frozen = [];
    this.frozenLength = 0;
    this.links = {};
    this.part = undefined;
    this.fence = undefined;
  }

  /** The blocks after the frozen ones; none if an open code block was found. */
  private tail(): Block[] {
    const rest = this.source.slice(this.frozenLength);
    const { tokens, links } = lex((this.part?.prefix ?? '') + rest, this.links);
    if (this.part && tokens[0] && !this.part.join(tokens[0])) {
      this.frozen.push(this.part.alone());
      this.part = undefined;
    }
    this.links = { ...links };
    this.freeze(tokens);
    if (this.fence) return [];
    let at = this.frozenLength;
    const blocks = tokens.map((token, i) => {
      const part = i === 0 ? this.part : undefined;
      const block = blockOf(token, at, part);
      at += token.raw.length - (part?.prefix.length ?? 0);
      return block;
    });
    const last = blocks.at(-1);
    if (last && PARTIAL.has(last.token.type))
      this.closeLast(last, blocks.length === 1 ? this.part : undefined);
    return blocks;
  }

  /** Freezes all that cannot change any more and removes it from `tokens`. */
  private freeze(tokens: Token[]): void {
    this.freezeUntil(tokens, LIVE);
    const last = tokens.at(-1);
    if (!last) return;
    // An open code block may be the longest block of all, so it is never lexed again while open.
    if (last.type === 'code' && OpenFence.of(last.raw, 0)) {
      this.freezeUntil(tokens, 1);
      this.fence = OpenFence.of(last.raw, this.frozenLength);
      return;
    }
    if (last.type === 'paragraph' && findCut(last.raw) > 0) this.freezeUntil(tokens, 1);
    if (tokens.length > 1) return;
    const frozen = freezeStart(last, {
      key: this.frozenLength,
      source: this.source,
      links: this.links,
      part: this.part,
    });
    if (!frozen) return;
    if (frozen.block) this.frozen.push(frozen.block);
    this.part = frozen.part;
    this.frozenLength += frozen.length;
  }

  /** Freezes the first tokens until `count` are left. */
  private freezeUntil(tokens: Token[], count: number): void {
    for (const token of tokens.splice(0, tokens.length - count)) {
      this.frozen.push(blockOf(token, this.frozenLength, this.part));
      this.frozenLength += token.raw.length - (this.part?.prefix.length ?? 0);
      this.part = undefined;
    }
  }

  /** The open code block, or undefined if there is none or it ended: an ended one is frozen. */
  private openCode(): Block | undefined {
    if (!this.fence) return undefined;
    const end = this.fence.end(this.source);
    if (end === undefined) {
      const token = this.fence.token(this.source);
      return { key: this.frozenLength, raw: token.raw, token, open: true };
    }
    const raw = this.source.slice(this.frozenLength, end);
    const token = lex(raw).tokens[0];
    if (token) this.frozen.push({ key: this.frozenLength, raw, token });
    this.frozenLength = end;
    this.fence = undefined;
    return undefined;
  }

  /** Closes the open marks of the last block. `part` is its frozen start. */
  private closeLast(last: Block, part: FrozenPart | undefined): void {
    const closed = closePartial(last.raw);
    if (closed === last.raw) return;
    const token = lex(closed, this.links).tokens[0];
    if (!token) {
      last.token = { type: 'space', raw: last.raw };
      return;
    }
    const joined = part?.join(token) ?? false;
    if (token.type === 'list' && last.token.type === 'list') token.start = last.token.start;
    last.token = token;
    last.renderKey = part && joined ? part.renderKey(closed, token) : closed;
  }
}

/** The block of a token at offset `at`, or of the rest of a block whose start is frozen. */
function blockOf(token: Token, at: number, part: FrozenPart | undefined): Block {
  const { raw } = token;
  return part
    ? { key: part.key, raw, token, renderKey: part.renderKey(raw, token) }
    : { key: at, raw, token };
}

export function lexBlocks(text: string): Block[] {
  let at = 0;
  const { tokens, links } = lex(text);
  const defined = Object.keys(links).length > 0;
  return tokens.map((token) => {
    const block: Block = { key: at, raw: token.raw, token };
    // With all definitions known it may contain links that it lacked while streaming.
    if (defined && token.raw.includes('[')) block.renderKey = `${token.raw}\0links`;
    at += token.raw.length;
    return block;
  });
}

/** The lexer counts in `\n`, so offsets here must as well. */
export function normalizeNewlines(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/**
 * Compares the length and the last 64 characters: comparing all of it would cost more with each
 * token.
 */
function isContinuation(next: string, before: string): boolean {
  const from = Math.max(0, before.length - 64);
  return next.length >= before.length && next.startsWith(before.slice(from), from);
}
