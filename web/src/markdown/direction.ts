/** Hebrew, Arabic and the other scripts that run from the right. */
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Code and addresses say nothing about the language around them. */
const NEUTRAL = /`+[^`]*`+|\bhttps?:\/\/\S+/g;
/** Where to look for the first letter. */
const START = 400;

/**
 * The direction of a block that contains blocks, by its first letter; without one, that of the page.
 * Other blocks have `dir="auto"`, which would skip blocks that have it themselves.
 */
export function directionOf(raw: string): 'ltr' | 'rtl' | undefined {
  const first = /\p{L}/u.exec(raw.slice(0, START).replace(NEUTRAL, ' '))?.[0];
  if (!first) return undefined;
  return RTL.test(first) ? 'rtl' : 'ltr';
}
