import { describe, expect, it } from 'vitest';
import { speakable, spokenLanguage } from '../../src/app/chat/read-aloud';

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

it.each([
  ['Guten Tag', 'de', 'de'],
  ['An answer with the word 日本.', 'ja', 'en'],
  ['東京都の人口', 'en', 'ja'],
  ['東京都', 'ja', 'ja'],
  ['这是一个回答，用 token 计算。', 'en', 'zh'],
  ['这是一个回答', 'zh-Hans', 'zh-Hans'],
  ['مرحبا بالعالم', 'fr', 'ar'],
  ['Hello', 'ar', 'en'],
])('is spoken by a voice of its language: %j on a page in %s', (text, page, language) => {
  expect(spokenLanguage(text, page)).toBe(language);
});
