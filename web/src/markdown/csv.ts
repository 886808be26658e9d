import type { Token, Tokens } from 'marked';
import { decodeEntities } from './text';

/** CSV by RFC 4180. */
export function tableToCsv(table: Tokens.Table): string {
  return [table.header, ...table.rows]
    .map((cells) => cells.map((cell) => field(plainText(cell.tokens))).join(','))
    .join('\r\n')
    .concat('\r\n');
}

/** The visible text: no marks, no URLs. */
export function plainText(tokens: Token[] | undefined): string {
  return (tokens ?? []).map(one).join('');
}

function one(token: Token): string {
  if (token.type === 'html') return /^<br\s*\/?>$/i.test(token.raw.trim()) ? '\n' : token.raw;
  if (token.type === 'br') return '\n';
  if (token.type === 'math') return String((token as Tokens.Generic).tex);
  if (token.type === 'codespan') return (token as Tokens.Codespan).text;
  if ('tokens' in token && token.tokens?.length) return plainText(token.tokens);
  return 'text' in token && typeof token.text === 'string' ? decodeEntities(token.text) : '';
}

function field(text: string): string {
  // A spreadsheet would execute a cell that starts like a formula.
  const safe = /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.,]+%?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
