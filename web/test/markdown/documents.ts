/** Random documents from a seed, so that a failure can be reproduced. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const WORDS =
  'alpha beta **gamma** _delta_ `code` ~~gone~~ [link](https://e.org/a) $x^2$ \\(y\\) <b> & * _ [r] [^1] ![i](https://e.org/i.png) 🦀 5 * 3 | pipe'.split(
    ' ',
  );

export function randomDocument(seed: number, blocks = 14): string {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const words = (n: number) =>
    Array.from({ length: 1 + Math.floor(next() * n) }, () => pick(WORDS)).join(' ');
  const lines = (n: number, line: () => string) =>
    Array.from({ length: 1 + Math.floor(next() * n) }, line).join('\n');
  const makers: (() => string)[] = [
    () => words(20),
    () => `${'#'.repeat(1 + Math.floor(next() * 6))} ${words(4)}`,
    () => lines(40, () => `${pick(['-', '-', '  -', '- [ ]', '- [x]'])} ${words(4)}`),
    () => lines(40, () => `1. ${words(4)}`),
    () => `\`\`\`${pick(['js', 'python', '', 'weird'])}\n${lines(20, () => words(5))}\n\`\`\``,
    () => `~~~\n\`\`\`\n${words(3)}\n\n${words(2)}\n~~~`,
    () => `| a | b |\n| --- | :-: |\n${lines(60, () => `| ${words(2).replaceAll('|', '')} | x |`)}`,
    () => `> ${words(5)}\n> ${words(5)}`,
    () => '---',
    () => `$$\n${pick(['x = y', '\\frac{1}{2}'])}\n$$`,
    () => `${words(3)}\n===`,
    () => `    ${words(3)}`,
    () => `<div>\n${words(3)}\n</div>`,
    () => '[r]: https://e.org/r "t"',
    () => `[^1]: ${words(5)}`,
    () => `- ${words(3)}\n\n  ${words(3)}\n\n  \`\`\`\n  ${words(2)}\n  \`\`\`\n- ${words(2)}`,
  ];
  const out = Array.from({ length: blocks }, () => pick(makers)());
  return out.join(next() < 0.9 ? '\n\n' : '\r\n') + (next() < 0.5 ? '\n' : '');
}
