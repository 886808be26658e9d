import { describe, expect, it } from 'vitest';
import { speakable } from '../../src/app/chat/read-aloud';

describe('a text that is read aloud', () => {
  it.each([
    ['## Title\n\nA **bold** `word`.', ['Title', 'A bold word .']],
    ['Before\n\n```js\nlet x = 1;\n```\n\nAfter', ['Before', 'After']],
    ['Cut\n\n```js\nlet x', ['Cut']],
    ['See [the docs](https://e.org/a_b).', ['See the docs.']],
    ['- one\n- two', ['one two']],
    ['| a | b |\n| --- | --- |\n| 1 | 2 |', ['a b 1 2']],
    ['***\n\n---', []],
    ['مرحبا', ['مرحبا']],
    ['', []],
  ])('%j', (text, parts) => {
    expect(speakable(text)).toEqual(parts);
  });
});
