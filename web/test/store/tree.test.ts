import { describe, expect, it } from 'vitest';
import {
  ancestors,
  laneRoot,
  mergeConversations,
  newConversation,
  nextTimestamp,
  patchMessage,
  pathOf,
  titleFrom,
  versionsOf,
  withMessage,
  withoutMessage,
} from '../../src/store/tree';
import type { Conversation, Message } from '../../src/store/types';

let clock = 0;

function message(id: string, parent: string, patch: Partial<Message> = {}): Message {
  clock += 1;
  return { id, parent, role: 'user', at: clock, state: 'done', text: id, ...patch };
}

function chatOf(...messages: Message[]): Conversation {
  return messages.reduce(withMessage, newConversation('m', {}));
}

const ids = (path: Message[]) => path.map((message) => message.id).join('');

describe('the visible path', () => {
  const chat = chatOf(message('a', ''), message('b', 'a'), message('c', 'a'), message('d', 'c'));

  it('follows the last choice', () => {
    expect(ids(pathOf(chat))).toBe('acd');
  });

  it('follows another choice', () => {
    expect(ids(pathOf({ ...chat, chosen: { '': 'a', a: 'b' } }))).toBe('ab');
  });

  it('takes the newest if the chosen message is gone', () => {
    expect(ids(pathOf({ ...chat, chosen: { a: 'nobody' } }))).toBe('acd');
  });

  it('ends on a damaged tree', () => {
    const self = message('x', 'y');
    const other = message('y', 'x');
    const looped = { ...chatOf(message('a', '')), messages: { x: self, y: other } };
    expect(ids(pathOf(looped, 'y'))).toBe('xy');
    expect(ancestors(looped, self).length).toBeLessThan(3);
  });

  it('starts at the root of a lane', () => {
    const lanes = chatOf(message('a', laneRoot('1')), message('b', laneRoot('2')));
    expect(ids(pathOf(lanes, laneRoot('2')))).toBe('b');
    expect(pathOf(lanes)).toEqual([]);
  });

  it('handles a thousand messages', () => {
    const many = chatOf();
    for (let i = 0; i < 1000; i++) many.messages[`${i}`] = message(`${i}`, i ? `${i - 1}` : '');
    expect(pathOf(many)).toHaveLength(1000);
  });
});

describe('changing a tree', () => {
  it('removes a message with its descendants', () => {
    const chat = chatOf(message('a', ''), message('b', 'a'), message('c', 'b'), message('d', 'a'));
    const rest = withoutMessage(chat, 'b');
    expect(Object.keys(rest.messages)).toEqual(['a', 'd']);
    expect(rest.gone.sort()).toEqual(['b', 'c']);
    expect(ids(pathOf(rest))).toBe('ad');
  });

  it('changes one message only', () => {
    const chat = chatOf(message('a', ''), message('b', 'a'));
    const next = patchMessage(chat, 'a', { text: 'new' });
    expect(next.messages.a?.text).toBe('new');
    expect(next.messages.b).toBe(chat.messages.b);
    expect(patchMessage(chat, 'nobody', {})).toBe(chat);
  });

  it('numbers the versions of a message', () => {
    const chat = chatOf(message('a', ''), message('b', 'a'), message('c', 'a'));
    expect([...versionsOf(chat)]).toEqual([
      ['b', '1 / 2'],
      ['c', '2 / 2'],
    ]);
  });

  it('keeps siblings in order also within one millisecond', () => {
    const chat = chatOf(message('a', '', { at: Date.now() + 5000 }));
    expect(nextTimestamp(chat, '')).toBeGreaterThan(chat.messages.a?.at ?? 0);
  });
});

describe('two tabs', () => {
  it('keeps the messages of both', () => {
    const base = chatOf(message('a', ''));
    const ours = withMessage(base, message('b', 'a'));
    const theirs = withMessage(base, message('c', 'a'));
    expect(Object.keys(mergeConversations(ours, theirs).messages).sort()).toEqual(['a', 'b', 'c']);
  });

  it('does not restore messages that one has deleted', () => {
    const base = chatOf(message('a', ''), message('b', 'a'));
    expect(Object.keys(mergeConversations(base, withoutMessage(base, 'b')).messages)).toEqual([
      'a',
    ]);
    expect(Object.keys(mergeConversations(withoutMessage(base, 'b'), base).messages)).toEqual([
      'a',
    ]);
  });

  it('prefers a finished answer to an unfinished one, and the later heartbeat', () => {
    const base = chatOf(message('a', '', { state: 'streaming', beat: 1, text: 'half' }));
    const done = patchMessage(base, 'a', { state: 'done', text: 'whole' });
    const later = patchMessage(base, 'a', { beat: 2, text: 'more' });
    expect(mergeConversations(base, done).messages.a?.text).toBe('whole');
    expect(mergeConversations(done, base).messages.a?.text).toBe('whole');
    expect(mergeConversations(base, later).messages.a?.text).toBe('more');
  });

  it('prefers the heartbeat of a tab that another one took for lost', () => {
    const base = chatOf(message('a', '', { state: 'streaming', beat: 1, text: 'half' }));
    const cut = patchMessage(base, 'a', { state: 'cut' });
    const again = patchMessage(base, 'a', { beat: 2, text: 'more' });
    for (const merged of [mergeConversations(cut, again), mergeConversations(again, cut)])
      expect(merged.messages.a).toMatchObject({ state: 'streaming', text: 'more' });
    expect(mergeConversations(base, cut).messages.a?.state).toBe('cut');
  });
});

describe('titles', () => {
  it.each([
    ['  Hello **world** ', 'Hello world'],
    ['```js\ncode\n``` and what it does', 'and what it does'],
    ['', 'New chat'],
    ['What is Vec<String>?', 'What is Vec<String>?'],
    ['explain my_function_name and __init__', 'explain my_function_name and __init__'],
    ['## Fix `a[0] > b` in\n> C#', 'Fix a[0] > b in C#'],
    ['- see [the docs](https://e.org/a) [1]', 'see the docs [1]'],
    ['2 ** 3 * 4 and **/*.ts', '2 ** 3 * 4 and **/*.ts'],
    ['#hashtag *one*', '#hashtag *one*'],
    ['```rust\nfn main() {}\n```', 'fn main() {}'],
    ['areas/<meta-name>/\\<tag\\>', 'areas/<meta-name>/\\<tag\\>'],
    ['a'.repeat(80), `${'a'.repeat(60)}…`],
    [`${'a'.repeat(59)}😀 and more`, `${'a'.repeat(59)}…`],
  ])('%j', (text, title) => {
    expect(titleFrom(text)).toBe(title);
  });

  it('cuts between words', () => {
    const text = 'one two three four five six seven eight nine ten eleven twelve thirteen';
    expect(titleFrom(text)).toMatch(/^one .* \w+…$/);
    expect(titleFrom(text).length).toBeLessThan(62);
  });
});
