/** JSON values as literals of each language. */

type Json = unknown;

interface Style {
  null: string;
  true: string;
  false: string;
  key: (key: string) => string;
}

const PYTHON: Style = {
  null: 'None',
  true: 'True',
  false: 'False',
  key: (key) => JSON.stringify(key),
};

const JAVASCRIPT: Style = {
  null: 'null',
  true: 'true',
  false: 'false',
  key: (key) => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)),
};

export const python = (value: Json, indent = 0) => literal(value, PYTHON, indent);

export const javascript = (value: Json, indent = 0) => literal(value, JAVASCRIPT, indent);

/** Maximum width of a literal on one line. */
const WIDTH = 72;

function literal(value: Json, style: Style, indent: number): string {
  if (value === null || value === undefined) return style.null;
  if (typeof value === 'boolean') return value ? style.true : style.false;
  // JSON string escapes are valid in both languages.
  if (typeof value !== 'object') return JSON.stringify(value);
  const list = Array.isArray(value);
  const entries = list
    ? value.map((item) => (deeper: number) => literal(item, style, deeper))
    : Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(
          ([key, member]) =>
            (deeper: number) =>
              `${style.key(key)}: ${literal(member, style, deeper)}`,
        );
  const [open, close] = list ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) return open + close;
  const space = list || style === PYTHON ? '' : ' ';
  const flat = open + space + entries.map((entry) => entry(0)).join(', ') + space + close;
  if (!flat.includes('\n') && flat.length + indent <= WIDTH) return flat;
  const pad = ' '.repeat(indent);
  const inner = style === PYTHON ? 4 : 2;
  const lines = entries.map((entry) => `${pad}${' '.repeat(inner)}${entry(indent + inner)},\n`);
  return `${open}\n${lines.join('')}${pad}${close}`;
}

/** Quotes a text as one word of a POSIX shell. */
export function shell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
