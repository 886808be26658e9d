import type { Token, Tokens } from 'marked';
import { closePartial } from './partial';

/**
 * A growing paragraph. `parts` are the inline tokens of its frozen start, `tokens` those of its
 * end.
 */
export interface LongParagraph extends Tokens.Paragraph {
  parts?: Token[][];
}

/** Characters from which a growing paragraph is frozen in parts. */
const MIN_LENGTH = 3000;
/** Characters at its end that are never frozen: half a word, half a link. */
const UNSETTLED = 600;
/** Each try costs time linear in the paragraph's length. */
const MAX_TRIES = 4;

/**
 * Index at which a growing paragraph can be cut: between two words of plain text, with no mark
 * open before it. 0 if there is none or the paragraph is short.
 */
export function findCut(raw: string): number {
  if (raw.length < MIN_LENGTH) return 0;
  let at = raw.length - UNSETTLED;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    at = raw.lastIndexOf(' ', at - 1);
    if (at <= 0) return 0;
    const head = raw.slice(0, at);
    const around = raw.slice(at - 1, at + 3);
    if (/^[\p{L},.;:] \p{L}{2}$/u.test(around) && hasNoOpenMark(head)) return at + 1;
  }
  return 0;
}

function hasNoOpenMark(head: string): boolean {
  const formulas = head.match(/(?<!\\)\$/g)?.length ?? 0;
  const inTag = head.lastIndexOf('<') > head.lastIndexOf('>');
  const inFormula = head.lastIndexOf('\\(') > head.lastIndexOf('\\)');
  return formulas % 2 === 0 && !inTag && !inFormula && closePartial(head) === head;
}
