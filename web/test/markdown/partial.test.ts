import { describe, expect, it } from 'vitest';
import { closePartial } from '../../src/markdown/partial';

describe('truncated Markdown is closed', () => {
  it.each([
    ['plain text', 'plain text'],
    ['a **bo', 'a **bo**'],
    ['a **bold** b', 'a **bold** b'],
    ['a **', 'a '],
    ['a *it', 'a *it*'],
    ['***both', '***both***'],
    ['a **b *c', 'a **b *c***'],
    ['snake_case_name', 'snake_case_name'],
    ['_em', '_em_'],
    ['2 * 3', '2 * 3'],
    ['~~go', '~~go~~'],
    ['a ~ b', 'a ~ b'],
    ['`co', '`co`'],
    ['``co ` de', '``co ` de``'],
    ['`a` and `b', '`a` and `b`'],
    ['**a `b', '**a `b**`'],
    ['\\*no', '\\*no'],
    ['see [lab', 'see lab'],
    ['see [label](https://e.or', 'see label'],
    ['see [label](https://e.org) x', 'see [label](https://e.org) x'],
    ['**see [lab', '**see lab**'],
    ['x ![al', 'x '],
    ['x ![alt](https://e.org/i?d=', 'x '],
    ['x ![alt](https://e.org/i) y', 'x ![alt](https://e.org/i) y'],
    ['note[^1', 'note'],
    ['array[0] ok', 'array[0] ok'],
    ['a [b\nc', 'a [b\nc'],
    ['text\n-', 'text'],
    ['text\n==', 'text'],
    ['a\n\n- b\n- ', 'a\n\n- b\n'],
    ['- **a**\n- **b', '- **a**\n- **b**'],
    ['**a\n\nb *c', '**a\n\nb *c*'],
    ['| a | b', '| a | b\n| --- | --- |'],
    ['| a | b |\n| -', '| a | b |\n| --- | --- |'],
    ['| a | b |\n| - | - |', '| a | b |\n| - | - |'],
    ['| a | b |\n| - | - |\n| 1', '| a | b |\n| - | - |\n| 1'],
    ['| a |\nnot a table', '| a |\nnot a table'],
    ['', ''],
  ])('%j → %j', (text, closed) => {
    expect(closePartial(text)).toBe(closed);
  });
});
