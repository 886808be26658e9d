import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Conversation, IndexEntry } from '../../src/store/types';
import { type FakeStorage, install } from './browser';

let local: FakeStorage;

/** The modules anew, as after a reload: what they remember is part of the test. */
async function load() {
  vi.resetModules();
  const [chats, list, notices, settings, tree, blobs, transfer, live, room, archive] =
    await Promise.all([
      import('../../src/store/chats'),
      import('../../src/store/list'),
      import('../../src/store/notices'),
      import('../../src/store/settings'),
      import('../../src/store/tree'),
      import('../../src/store/blobs'),
      import('../../src/store/transfer'),
      import('../../src/store/live'),
      import('../../src/store/room'),
      import('../../src/store/archive'),
    ]);
  list.loadList();
  return {
    ...chats,
    ...list,
    ...notices,
    ...settings,
    ...tree,
    ...blobs,
    ...transfer,
    ...live,
    ...room,
    ...archive,
  };
}

type Page = Awaited<ReturnType<typeof load>>;

function talk(page: Page, title: string, text = 'words'): Conversation {
  const chat = { ...page.newConversation('m', {}), title };
  return page.withMessage(chat, {
    id: `${chat.id}m`,
    parent: '',
    role: 'user',
    at: 1,
    state: 'done',
    text,
  });
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 80));

beforeEach(() => {
  local = install().local;
  globalThis.indexedDB = new IDBFactory();
});

describe('keeping conversations', () => {
  it('finds them after a reload', async () => {
    const before = await load();
    const chat = talk(before, 'Kept');
    before.addChat(chat);
    const after = await load();
    expect(after.listStore.get().map((each) => each.title)).toEqual(['Kept']);
    expect(after.chatStore(chat.id).get()?.messages).toEqual(chat.messages);
  });

  it('deletes with a way back, and for good later', async () => {
    const page = await load();
    const chat = talk(page, 'Gone');
    page.addChat(chat);
    page.removeChats([chat.id]);
    expect(page.listStore.get()[0]?.deleted).toBeGreaterThan(0);
    page.restoreChat(chat.id);
    expect(page.listStore.get()[0]?.deleted).toBeUndefined();
    page.removeChats([chat.id]);
    const late = Date.now() + 100_000;
    await page.purge(page.expired(late).map((each) => each.id));
    expect(page.listStore.get()).toEqual([]);
    expect(local.getItem(`trunkline:c:${chat.id}`)).toBeNull();
  });

  it('saving does not undo a deletion', async () => {
    const page = await load();
    const chat = talk(page, 'Gone');
    page.addChat(chat);
    page.removeChats([chat.id]);
    page.changeChat(chat.id, (now) => ({ ...now, title: 'Still gone' }));
    expect(page.listStore.get()[0]?.deleted).toBeGreaterThan(0);
  });

  it('does not list a comparison that nothing was asked in', async () => {
    const page = await load();
    page.addChat({ ...page.newConversation('m', {}), lanes: [{ id: '1', model: 'm' }] });
    expect(page.listStore.get()).toEqual([]);
  });
});

describe('a full disk', () => {
  it('moves the oldest conversations to the larger store', async () => {
    const page = await load();
    local.room = 12_000;
    const chats = ['one', 'two', 'three', 'four'].map((title) =>
      talk(page, title, 'x'.repeat(3000)),
    );
    for (const [i, chat] of chats.entries()) {
      page.addChat({ ...chat, updated: i + 1 });
      await settle();
    }
    const cold = page.listStore.get().filter((each) => each.cold);
    expect(cold.map((each) => each.title)).toContain('one');
    expect(cold.map((each) => each.title)).not.toContain('four');
    expect(page.trouble.get()).toBe(false);

    const after = await load();
    expect(after.listStore.get()).toHaveLength(4);
    const store = after.chatStore(chats[0]?.id ?? '');
    expect(store.get()).toBeUndefined();
    await settle();
    expect(store.get()?.title).toBe('one');
  });

  it('keeps one that is larger than all the room', async () => {
    const page = await load();
    local.room = 2000;
    const chat = talk(page, 'Huge', 'x'.repeat(9000));
    page.addChat(chat);
    await settle();
    expect(page.listStore.get()[0]?.cold).toBe(true);
    const after = await load();
    expect((await after.readChat(chat.id))?.title).toBe('Huge');
  });

  it('says so when nothing is left, and loses nothing in this tab', async () => {
    const page = await load();
    local.room = 100;
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new Error('none');
      },
    });
    const chat = talk(page, 'Homeless');
    page.addChat(chat);
    await settle();
    vi.unstubAllGlobals();
    expect(page.trouble.get()).toBe(true);
    expect(page.chatStore(chat.id).get()?.title).toBe('Homeless');
  });

  it('works with no storage at all', async () => {
    vi.stubGlobal('localStorage', {
      get length(): number {
        throw new Error('denied');
      },
      getItem() {
        throw new Error('denied');
      },
      setItem() {
        throw new Error('denied');
      },
      removeItem() {
        throw new Error('denied');
      },
    });
    const page = await load();
    const chat = talk(page, 'In memory');
    page.addChat(chat);
    expect(page.listStore.get()[0]?.title).toBe('In memory');
    expect(page.chatStore(chat.id).get()?.title).toBe('In memory');
    vi.unstubAllGlobals();
  });
});

describe('older conversations', () => {
  const HOUR = 3_600_000;

  /** As a page left them that kept all in localStorage. */
  async function filled(count: number, characters: number) {
    const page = await load();
    const chats = Array.from({ length: count }, (_, i) => ({
      ...talk(page, `Chat ${i}`, `words of ${i} `.padEnd(characters, 'x')),
      updated: Date.now() - i * HOUR,
    }));
    const index = chats.map((chat) => page.entryOf(chat, JSON.stringify(chat).length));
    for (const chat of chats) local.setItem(`trunkline:c:${chat.id}`, JSON.stringify(chat));
    local.setItem('trunkline:index', JSON.stringify(index));
    return chats;
  }

  const hot = () => [...local.entries.keys()].filter((key) => key.startsWith('trunkline:c:'));

  it('leave localStorage behind the newest, and none is lost', async () => {
    const chats = await filled(30, 50_000);
    const page = await load();
    await page.keepRecent();
    expect(hot().length).toBeGreaterThan(5);
    expect(hot().length).toBeLessThan(11);
    expect(hot()).toContain(`trunkline:c:${chats[0]?.id}`);
    expect(hot()).not.toContain(`trunkline:c:${chats[29]?.id}`);

    const after = await load();
    expect(after.listStore.get().map((each) => each.title)).toEqual(chats.map((c) => c.title));
    for (const chat of chats) expect(await after.readChat(chat.id)).toEqual(chat);
  });

  it('stay where they are while there are few, or without IndexedDB', async () => {
    await filled(3, 50_000);
    await (await load()).keepRecent();
    expect(hot()).toHaveLength(3);
    await filled(30, 50_000);
    const page = await load();
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new Error('none');
      },
    });
    await expect(page.keepRecent()).rejects.toThrow();
    vi.unstubAllGlobals();
    expect(hot()).toHaveLength(33);
    expect(page.listStore.get().some((each) => each.cold)).toBe(false);
  });

  it('stay while another tab may be at them', async () => {
    const chats = await filled(2, 600_000);
    const page = await load();
    await page.keepRecent((chats[0]?.updated ?? 0) + HOUR / 10);
    expect(hot()).toEqual([`trunkline:c:${chats[0]?.id}`]);
  });

  it('come back when they are written to', async () => {
    const chats = await filled(30, 50_000);
    const page = await load();
    await page.keepRecent();
    const old = chats[29]?.id ?? '';
    page.chatStore(old);
    await settle();
    page.changeChat(old, (now) => ({ ...now, title: 'New again', updated: Date.now() }));
    expect(hot()).toContain(`trunkline:c:${old}`);
    await settle();
    expect(await page.blobKeys('chats')).not.toContain(old);
    const after = await load();
    expect(after.listStore.get()[0]).toMatchObject({ id: old, title: 'New again' });
    expect(after.listStore.get()[0]?.cold).toBeUndefined();
  });

  it('are found again when the list has lost them', async () => {
    const chats = await filled(30, 50_000);
    await (await load()).keepRecent();
    local.setItem('trunkline:index', 'nonsense');
    const page = await load();
    expect(page.listStore.get().length).toBeLessThan(30);
    await page.findArchived();
    expect(page.listStore.get().map((each) => each.title)).toEqual(chats.map((c) => c.title));
    const after = await load();
    expect((await after.readChat(chats[29]?.id ?? ''))?.title).toBe('Chat 29');
  });

  it('are removed for good where they lie', async () => {
    const chats = await filled(30, 50_000);
    const page = await load();
    await page.keepRecent();
    await page.purge([chats[29]?.id ?? '', chats[0]?.id ?? '']);
    await page.findArchived();
    expect(page.listStore.get()).toHaveLength(28);
    expect(await page.blobKeys('chats')).not.toContain(chats[29]?.id);
  });

  it('do not take with them what this tab knows more of', async () => {
    const page = await load();
    const chat = talk(page, 'Ours');
    page.addChat(chat);
    // Another tab puts away what it read before.
    await page.putBlob('chats', chat.id, JSON.stringify({ ...chat, messages: {} }));
    local.removeItem(`trunkline:c:${chat.id}`);
    page.onChatEvent(chat.id, null, false);
    await settle();
    expect(local.getItem(`trunkline:c:${chat.id}`)).toContain('words');
    // And what it put away whole stays there.
    const whole = local.getItem(`trunkline:c:${chat.id}`);
    await page.putBlob('chats', chat.id, whole);
    local.removeItem(`trunkline:c:${chat.id}`);
    page.onChatEvent(chat.id, null, false);
    await settle();
    expect(local.getItem(`trunkline:c:${chat.id}`)).toBeNull();
  });

  it('are set aside when damaged, there as here', async () => {
    const page = await load();
    const chat = talk(page, 'Bad');
    page.addChat(chat);
    local.removeItem(`trunkline:c:${chat.id}`);
    page.patchEntry(chat.id, { cold: true });
    await page.putBlob('chats', chat.id, '{"v":1,"id":');
    const after = await load();
    expect(await after.readChat(chat.id)).toBeNull();
    expect(local.getItem(`trunkline:bad:${chat.id}`)).toBe('{"v":1,"id":');
    expect(after.listStore.get()).toEqual([]);
    expect(await after.blobKeys('chats')).toEqual([]);
    expect(after.noticeStore.get()).toHaveLength(1);
  });

  it('stay in localStorage to be set aside when damaged', async () => {
    const chats = await filled(30, 50_000);
    const last = `trunkline:c:${chats[29]?.id}`;
    local.setItem(last, '{"v":1');
    await (await load()).keepRecent();
    expect(local.getItem(last)).toBe('{"v":1');
  });
});

describe('damaged entries', () => {
  it('sets a conversation aside and opens the others', async () => {
    const page = await load();
    const good = talk(page, 'Good');
    const bad = talk(page, 'Bad');
    page.addChat(good);
    page.addChat(bad);
    local.setItem(`trunkline:c:${bad.id}`, '{"v":1,"id":');
    const after = await load();
    expect(after.chatStore(bad.id).get()).toBeNull();
    expect(local.getItem(`trunkline:bad:${bad.id}`)).toBe('{"v":1,"id":');
    expect(after.listStore.get().map((each) => each.title)).toEqual(['Good']);
    expect(after.noticeStore.get()).toHaveLength(1);
  });

  it.each(['nonsense', '{}', '[{"id":1}]', 'null'])('rebuilds the list from %j', async (raw) => {
    const page = await load();
    page.addChat(talk(page, 'Found again'));
    local.setItem('trunkline:index', raw);
    const after = await load();
    expect(after.listStore.get().map((each) => each.title)).toEqual(['Found again']);
  });

  it('lists conversations that the list has lost', async () => {
    const page = await load();
    page.addChat(talk(page, 'Orphan'));
    local.setItem('trunkline:index', '[]');
    expect((await load()).listStore.get().map((each) => each.title)).toEqual(['Orphan']);
  });

  it('takes from damaged settings what is sound', async () => {
    local.setItem('trunkline:settings', '{"theme":"dark","fontSize":"big","presets":{}}');
    const { settingsStore } = await load();
    expect(settingsStore.get()).toMatchObject({ theme: 'dark', fontSize: 16, presets: [] });
    local.setItem('trunkline:settings', '[');
    expect((await load()).settingsStore.get().theme).toBe('system');
  });
});

describe('several tabs', () => {
  it('adds to a conversation that another tab has written to', async () => {
    const page = await load();
    const chat = talk(page, 'Shared');
    page.addChat(chat);
    const theirs = page.withMessage(chat, {
      id: 'theirs',
      parent: `${chat.id}m`,
      role: 'user',
      at: 5,
      state: 'done',
      text: 'from the other tab',
    });
    local.setItem(`trunkline:c:${chat.id}`, JSON.stringify(theirs));
    page.changeChat(chat.id, (now) => ({ ...now, pinned: true, updated: theirs.updated + 1 }));
    const onDisk: Conversation = JSON.parse(local.getItem(`trunkline:c:${chat.id}`) ?? '');
    expect(onDisk.messages.theirs?.text).toBe('from the other tab');
    expect(onDisk.pinned).toBe(true);
    expect(page.chatStore(chat.id).get()?.messages.theirs).toBeDefined();
  });

  it('shows what another tab wrote, and keeps what this one is writing', async () => {
    const page = await load();
    const chat = talk(page, 'Shared');
    page.addChat(chat);
    const theirs = { ...chat, title: 'Renamed', updated: chat.updated + 1 };
    page.onChatEvent(chat.id, JSON.stringify(theirs), false);
    expect(page.chatStore(chat.id).get()?.title).toBe('Renamed');
    page.onChatEvent(chat.id, JSON.stringify({ ...theirs, messages: {} }), true);
    expect(Object.keys(page.chatStore(chat.id).get()?.messages ?? {})).toHaveLength(1);
    page.onChatEvent(chat.id, 'broken', false);
    expect(page.chatStore(chat.id).get()?.title).toBe('Renamed');
  });

  it("keeps another tab's entries of the list", async () => {
    const page = await load();
    const other: IndexEntry = {
      id: 'x',
      title: 'Theirs',
      model: '',
      updated: 9,
      bytes: 0,
      pinned: false,
    };
    local.setItem('trunkline:index', JSON.stringify([other]));
    page.addChat(talk(page, 'Ours'));
    expect(
      page.listStore
        .get()
        .map((each) => each.title)
        .sort(),
    ).toEqual(['Ours', 'Theirs']);
  });
});

describe('out and in again', () => {
  it('comes back as it went', async () => {
    const page = await load();
    const chat = talk(page, 'Travelled');
    page.addChat(chat);
    const json = await page.asJson([chat]);
    local.clear();
    const after = await load();
    expect(await after.importJson(json)).toBe(1);
    expect(after.chatStore(chat.id).get()?.messages).toEqual(chat.messages);
    // A second time as a copy beside it.
    await after.importJson(json);
    expect(after.listStore.get()).toHaveLength(2);
  });

  it('refuses what is not an export', async () => {
    const page = await load();
    await expect(page.importJson('{"chats":[{"id":1}]}')).rejects.toThrow(/no conversation/);
    await expect(page.importJson('nonsense')).rejects.toThrow(SyntaxError);
  });

  it('writes Markdown', async () => {
    const page = await load();
    const text = page.asMarkdown({ ...talk(page, 'Title'), params: { system: 'Be brief.' } });
    expect(text).toContain('# Title');
    expect(text).toContain('Be brief.');
    expect(text).toContain('## You\n\nwords');
    expect(page.fileName('Ä title / with: signs')).toBe('ä-title-with-signs');
  });
});
