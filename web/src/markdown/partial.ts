/**
 * Closes the open marks of truncated Markdown, so that a half-received bold word is bold and a
 * half-received link shows its text. Works on the last paragraph only: inline markup never spans
 * a blank line.
 */
export function closePartial(text: string): string {
  const from = lastParagraph(text);
  const head = text.slice(0, from);
  const tail = text.slice(from);
  return head + closeTable(head, closeInline(dropHalfMarker(head, tail)));
}

/** Start of the last group of lines that inline markup can span. */
function lastParagraph(text: string): number {
  let from = 0;
  const breaks = /\n[ \t]*\n|\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])/g;
  for (let m = breaks.exec(text); m; m = breaks.exec(text)) from = m.index + m[0].length;
  return from;
}

/**
 * A last line of `-`, `=` or `#` is the start of a longer line: left in, it would turn the line
 * above into a heading for a moment.
 */
function dropHalfMarker(head: string, tail: string): string {
  const line = tail.lastIndexOf('\n') + 1;
  const last = tail.slice(line);
  if (line > 0 && /^[ \t]*(?:-{1,2}|={1,2}|`{1,2}|~{1,2})[ \t]*$/.test(last))
    return tail.slice(0, line - 1);
  if (line === 0 && head !== '' && /^[ \t]*(?:[-*+]|#{1,6}|`{1,2})[ \t]*$/.test(last)) return '';
  return tail;
}

/** Without its second line a table is a paragraph: add the line until it arrives. */
function closeTable(head: string, tail: string): string {
  const lines = tail.split('\n');
  const [first = '', second] = lines;
  if (!/^\s*\|.*\S/.test(first) || lines.length > 2 || (head !== '' && !/\n\s*\n$/.test(head)))
    return tail;
  if (second !== undefined && !/^[\s|:-]*$/.test(second)) return tail;
  const columns = first
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/).length;
  if (
    second !== undefined &&
    second.split('-').length > 1 &&
    second.trim().endsWith('|') &&
    second.split('|').length >= columns + 1
  )
    return tail;
  return `${first}\n|${' --- |'.repeat(columns)}`;
}

interface Open {
  mark: string;
  at: number;
}

function closeInline(tail: string): string {
  const open: Open[] = [];
  let i = 0;
  while (i < tail.length) {
    const c = tail.charAt(i);
    if (c === '\\') {
      i += 2;
    } else if (c === '`') {
      const end = skipCode(tail, i);
      if (end < 0) return unwind(tail, open) + runAt(tail, i);
      i = end;
    } else if (c === '[' || (c === '!' && tail.charAt(i + 1) === '[')) {
      const end = skipLink(tail, i);
      if (end < 0) return unwind(cutLink(tail, i), open);
      i = end;
    } else if (c === '$' && i === tail.length - 1 && tail.charAt(i - 1) !== '$') {
      // What follows a dollar tells whether it closes a formula or begins a price.
      return unwind(`${tail.slice(0, i)}\\$`, open);
    } else if (c === '*' || c === '_' || c === '~') {
      const run = runAt(tail, i);
      toggle(open, run, i, tail);
      i += run.length;
    } else {
      i++;
    }
  }
  return unwind(tail, open);
}

function runAt(text: string, at: number): string {
  let end = at;
  while (text[end] === text[at]) end++;
  return text.slice(at, end);
}

/** Index after a code span, or -1 if it is open. */
function skipCode(text: string, at: number): number {
  const run = runAt(text, at);
  let close = text.indexOf(run, at + run.length);
  while (close >= 0) {
    const other = runAt(text, close);
    if (other.length === run.length) return close + run.length;
    close = text.indexOf(run, close + other.length);
  }
  return -1;
}

/** Index after the label and target of a link, or -1 if either is open. */
function skipLink(text: string, at: number): number {
  const image = text.charAt(at) === '!';
  const label = text.indexOf(']', at);
  if (label < 0) return -1;
  if (text.charAt(label + 1) !== '(') return image ? label + 1 : at + 1;
  let depth = 0;
  for (let i = label + 1; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '\n') return at + 1;
    if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return image ? i + 1 : at + 1;
  }
  return -1;
}

/** A truncated link becomes its text, a truncated image nothing. */
function cutLink(text: string, at: number): string {
  const before = text.slice(0, at);
  if (text.charAt(at) === '!' || text.charAt(at + 1) === '^') return before;
  const label = text.indexOf(']', at);
  const inside = text.slice(at + 1, label < 0 ? undefined : label);
  // A bracket left open for several lines is plain text.
  return inside.includes('\n') ? text : before + inside;
}

/** Opens or closes a run of emphasis marks. */
function toggle(open: Open[], run: string, at: number, text: string): void {
  const before = text.charAt(at - 1);
  const after = text.charAt(at + run.length);
  const mayOpen = after !== '' && !/\s/.test(after);
  const mayClose = before !== '' && !/\s/.test(before);
  if (run.charAt(0) === '_' && /\w/.test(before) && /\w/.test(after)) return;
  if (run.charAt(0) === '~' && run.length !== 2) return;
  let rest = run;
  while (mayClose && rest !== '') {
    const top = open.findLastIndex((o) => rest.startsWith(o.mark));
    if (top < 0) break;
    rest = rest.slice(open[top]?.mark.length);
    open.length = top;
  }
  if (rest !== '' && rest.length <= 3 && (mayOpen || after === '')) {
    if (rest.length === 3)
      open.push({ mark: rest.slice(0, 2), at }, { mark: rest.slice(2), at: at + 2 });
    else open.push({ mark: rest, at: at + run.length - rest.length });
  }
}

function unwind(text: string, open: Open[]): string {
  let out = text;
  for (const { mark, at } of [...open].reverse()) {
    // No text after the mark yet: drop it, or it would show as asterisks.
    if (out.slice(at + mark.length).trim() === '') out = out.slice(0, at);
    else out = out.trimEnd() + mark;
  }
  return out;
}
