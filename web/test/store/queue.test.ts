import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeStorage, install } from './browser';

let local: FakeStorage;

/** Fresh modules, as after a reload. */
async function load() {
  vi.resetModules();
  const [queue, chats, tree] = await Promise.all([
    import('../../src/store/queue'),
    import('../../src/store/storage/chats'),
    import('../../src/store/tree'),
  ]);
  return { ...queue, ...chats, ...tree };
}

const draft = (text: string) => ({ text, attachments: [] });

beforeEach(() => {
  local = install().local;
  globalThis.indexedDB = new IDBFactory();
});

describe('waiting questions', () => {
  it('survive a reload, in order', async () => {
    const before = await load();
    before.enqueue('a', draft('one'));
    before.enqueue('a', draft('two'));
    before.enqueue('b', draft('other'));
    const after = await load();
    expect(after.queueOf('a').get()).toMatchObject([{ text: 'one' }, { text: 'two' }]);
    expect(after.dequeue('a')).toEqual(draft('one'));
    expect(after.dequeue('a')).toEqual(draft('two'));
    expect(after.dequeue('a')).toBeUndefined();
    expect([...local.entries.keys()].filter((key) => key.includes(':q:'))).toEqual([
      'trunkline:q:b',
    ]);
  });

  it('are taken by one of two tabs only', async () => {
    const one = await load();
    one.enqueue('a', draft('once'));
    const two = await load();
    expect(two.queueOf('a').get()).toHaveLength(1);
    expect(one.dequeue('a')).toEqual(draft('once'));
    // Before the event that tells the other tab.
    expect(two.dequeue('a')).toBeUndefined();
    one.enqueue('a', draft('again'));
    two.onQueueStored('a', local.getItem('trunkline:q:a'));
    expect(two.queueOf('a').get()).toMatchObject([{ text: 'again' }]);
  });

  it('stay in memory where there is no room, and the page says so', async () => {
    const page = await load();
    local.room = 10;
    page.enqueue('a', draft('much too long'));
    page.enqueue('a', draft('as well'));
    expect(page.queueOf('a').get()).toHaveLength(2);
    expect(page.saveFailed.get()).toBe(true);
    expect(page.dequeue('a')).toEqual(draft('much too long'));
    local.room = Number.POSITIVE_INFINITY;
    page.enqueue('a', draft('room again'));
    expect((await load()).queueOf('a').get()).toMatchObject([
      { text: 'as well' },
      { text: 'room again' },
    ]);
  });

  it('are ignored where they are unreadable', async () => {
    local.setItem('trunkline:q:a', '{"no":"list"}');
    local.setItem('trunkline:q:b', '[{"id":"1","text":"good","attachments":[]},{"id":2}]');
    const page = await load();
    expect(page.queueOf('a').get()).toEqual([]);
    expect(page.queueOf('b').get()).toMatchObject([{ text: 'good' }]);
  });

  it('are deleted with their conversation', async () => {
    const page = await load();
    const chat = page.newConversation('m', {});
    page.addChat(chat);
    page.enqueue(chat.id, draft('one'));
    await page.purge([chat.id]);
    expect(local.getItem(`trunkline:q:${chat.id}`)).toBeNull();
  });
});
