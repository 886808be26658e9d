import type { Token, Tokens } from 'marked';
import { closePartial } from './partial';

/** A paragraph that is being written, but for its end: inline tokens, part by part. */
export interface LongParagraph extends Tokens.Paragraph {
  parts?: Token[][];
}

/** From here on a paragraph is settled in parts while it grows. */
const LONG = 3000;
/** So much at its end stays as it is: half a word, half a link. */
const TAIL = 600;
/** Looking for a place costs as much as the paragraph is long. */
const TRIES = 4;

/**
 * Where a growing paragraph can be cut: between two words of plain text, with
 * no mark left open before it. 0 where it cannot, or is not long.
 */
export function cutOf(raw: string): number {
  if (raw.length < LONG) return 0;
  let at = raw.length - TAIL;
  for (let tries = 0; tries < TRIES; tries++) {
    at = raw.lastIndexOf(' ', at - 1);
    if (at <= 0) return 0;
    const head = raw.slice(0, at);
    const around = raw.slice(at - 1, at + 3);
    if (/^[\p{L},.;:] \p{L}{2}$/u.test(around) && isNeutral(head)) return at + 1;
  }
  return 0;
}

function isNeutral(head: string): boolean {
  const formulas = head.match(/(?<!\\)\$/g)?.length ?? 0;
  const inTag = head.lastIndexOf('<') > head.lastIndexOf('>');
  const inFormula = head.lastIndexOf('\\(') > head.lastIndexOf('\\)');
  return formulas % 2 === 0 && !inTag && !inFormula && closePartial(head) === head;
}
