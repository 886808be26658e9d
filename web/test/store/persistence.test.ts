import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Conversation, IndexEntry } from '../../src/store/types';
import { type FakeStorage, install } from './browser';

let local: FakeStorage;

/** Fresh modules, as after a reload: module state is part of the test. */
async function load() {
  vi.resetModules();
  const [chats, list, notices, settings, tree, blobs, transfer, live, room, archive] =
    await Promise.all([
      import('../../src/store/storage/chats'),
      import('../../src/store/storage/chat-list'),
      import('../../src/store/notices'),
      import('../../src/store/settings'),
      import('../../src/store/tree'),
      import('../../src/store/storage/indexed-db'),
      import('../../src/store/import-export'),
      import('../../src/store/live'),
      import('../../src/store/storage/archive-policy'),
      import('../../src/store/storage/archive-recovery'),
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

const patchGateway = () => new Promise((resolve) => setTimeout(resolve, 80));

beforeEach(() => {
  local = install().local;
  globalThis.indexedDB = new IDBFactory();
});

describe('storing conversations', () => {
  it('finds them after a reload', async () => {
    const before = await load();
    const chat = talk(before, 'Kept');
    before.addChat(chat);
    const after = await load();
    expect(after.listStore.get().map((entry) => entry.title)).toEqual(['Kept']);
    expect(after.chatStore(chat.id).get()?.messages).toEqual(chat.messages);
  });

  it('deletes with undo, and purges later', async () => {
    const page = await load();
    const chat = talk(page, 'Gone');
    page.addChat(chat);
    page.removeChats([chat.id]);
    expect(page.listStore.get()[0]?.deleted).toBeGreaterThan(0);
    page.restoreChat(chat.id);
    expect(page.listStore.get()[0]?.deleted).toBeUndefined();
    page.removeChats([chat.id]);
    const drafts = [`trunkline:d:${chat.id}`, `trunkline:d:${chat.id}/m`, 'trunkline:d:other/m'];
    for (const draft of drafts) local.setItem(draft, '{"text":"typed"}');
    const late = Date.now() + 100_000;
    await page.purge(page.expired(late).map((entry) => entry.id));
    expect(page.listStore.get()).toEqual([]);
    expect(drafts.filter((draft) => local.getItem(draft))).toEqual(['trunkline:d:other/m']);
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

  it('does not list an empty comparison', async () => {
    const page = await load();
    page.addChat({ ...page.newConversation('m', {}), lanes: [{ id: '1', model: 'm' }] });
    expect(page.listStore.get()).toEqual([]);
  });
});

describe('a full localStorage', () => {
  it('archives the oldest conversations', async () => {
    const page = await load();
    local.room = 12_000;
    const chats = ['one', 'two', 'three', 'four'].map((title) =>
      talk(page, title, 'x'.repeat(3000)),
    );
    for (const [i, chat] of chats.entries()) {
      page.addChat({ ...chat, updated: i + 1 });
      await patchGateway();
    }
    const cold = page.listStore.get().filter((entry) => entry.cold);
    expect(cold.map((entry) => entry.title)).toContain('one');
    expect(cold.map((entry) => entry.title)).not.toContain('four');
    expect(page.saveFailed.get()).toBe(false);

    const after = await load();
    expect(after.listStore.get()).toHaveLength(4);
    const store = after.chatStore(chats[0]?.id ?? '');
    expect(store.get()).toBeUndefined();
    await patchGateway();
    expect(store.get()?.title).toBe('one');
  });

  it('never puts an older version over a newer one', async () => {
    const page = await load();
    const old = talk(page, 'Old', 'x'.repeat(3000));
    page.addChat({ ...old, updated: 1 });
    await patchGateway();
    local.room = [...local.entries].reduce(
      (sum, [key, value]) => sum + key.length + value.length,
      0,
    );
    const chat = talk(page, 'First');
    page.addChat(chat);
    page.changeChat(chat.id, (now) => ({ ...now, title: 'Second' }));
    // While space is being freed for these two, the third finds room.
    local.room = Number.POSITIVE_INFINITY;
    page.changeChat(chat.id, (now) => ({ ...now, title: 'Third' }));
    await patchGateway();
    const after = await load();
    expect((await after.readChat(chat.id))?.title).toBe('Third');
  });

  it('keeps one that is larger than the quota', async () => {
    const page = await load();
    local.room = 2000;
    const chat = talk(page, 'Huge', 'x'.repeat(9000));
    page.addChat(chat);
    await patchGateway();
    expect(page.listStore.get()[0]?.cold).toBe(true);
    const after = await load();
    expect((await after.readChat(chat.id))?.title).toBe('Huge');
  });

  it('reports when no storage is left, and loses nothing in this tab', async () => {
    const page = await load();
    local.room = 100;
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new Error('none');
      },
    });
    const chat = talk(page, 'Homeless');
    page.addChat(chat);
    await patchGateway();
    vi.unstubAllGlobals();
    expect(page.saveFailed.get()).toBe(true);
    expect(page.chatStore(chat.id).get()?.title).toBe('Homeless');
  });

  it('works without any storage', async () => {
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

  /** Everything in localStorage. */
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

  it('are archived except for the newest, and none is lost', async () => {
    const chats = await filled(30, 50_000);
    const page = await load();
    await page.archiveOld();
    expect(hot().length).toBeGreaterThan(5);
    expect(hot().length).toBeLessThan(11);
    expect(hot()).toContain(`trunkline:c:${chats[0]?.id}`);
    expect(hot()).not.toContain(`trunkline:c:${chats[29]?.id}`);

    const after = await load();
    expect(after.listStore.get().map((entry) => entry.title)).toEqual(chats.map((c) => c.title));
    for (const chat of chats) expect(await after.readChat(chat.id)).toEqual(chat);
  });

  it('stay in localStorage while there are few, or without IndexedDB', async () => {
    await filled(3, 50_000);
    await (await load()).archiveOld();
    expect(hot()).toHaveLength(3);
    await filled(30, 50_000);
    const page = await load();
    vi.stubGlobal('indexedDB', {
      open: () => {
        throw new Error('none');
      },
    });
    await expect(page.archiveOld()).rejects.toThrow();
    vi.unstubAllGlobals();
    expect(hot()).toHaveLength(33);
    expect(page.listStore.get().some((entry) => entry.cold)).toBe(false);
  });

  it('stay while another tab may be writing them', async () => {
    const chats = await filled(2, 600_000);
    const page = await load();
    await page.archiveOld((chats[0]?.updated ?? 0) + HOUR / 10);
    expect(hot()).toEqual([`trunkline:c:${chats[0]?.id}`]);
  });

  it('move back when they are changed', async () => {
    const chats = await filled(30, 50_000);
    const page = await load();
    await page.archiveOld();
    const old = chats[29]?.id ?? '';
    page.chatStore(old);
    await patchGateway();
    page.changeChat(old, (now) => ({ ...now, title: 'New again', updated: Date.now() }));
    expect(hot()).toContain(`trunkline:c:${old}`);
    await patchGateway();
    expect(await page.idbKeys('chats')).not.toContain(old);
    const after = await load();
    expect(after.listStore.get()[0]).toMatchObject({ id: old, title: 'New again' });
    expect(after.listStore.get()[0]?.cold).toBeUndefined();
  });

  it('are recovered if missing in the list', async () => {
    const chats = await filled(30, 50_000);
    await (await load()).archiveOld();
    local.setItem('trunkline:index', 'nonsense');
    const page = await load();
    expect(page.listStore.get().length).toBeLessThan(30);
    await page.recoverArchived();
    expect(page.listStore.get().map((entry) => entry.title)).toEqual(chats.map((c) => c.title));
    const after = await load();
    expect((await after.readChat(chats[29]?.id ?? ''))?.title).toBe('Chat 29');
  });

  it('are purged from the archive', async () => {
    const chats = await filled(30, 50_000);
    const page = await load();
    await page.archiveOld();
    await page.purge([chats[29]?.id ?? '', chats[0]?.id ?? '']);
    await page.recoverArchived();
    expect(page.listStore.get()).toHaveLength(28);
    expect(await page.idbKeys('chats')).not.toContain(chats[29]?.id);
  });

  it('are merged with newer messages of this tab when archived by another', async () => {
    const page = await load();
    const chat = talk(page, 'Ours');
    page.addChat(chat);
    // Another tab archives what it read earlier.
    await page.idbPut('chats', chat.id, JSON.stringify({ ...chat, messages: {} }));
    local.removeItem(`trunkline:c:${chat.id}`);
    page.onChatStored(chat.id, null, false);
    await patchGateway();
    expect(local.getItem(`trunkline:c:${chat.id}`)).toContain('words');
    // A complete archived copy stays archived.
    const whole = local.getItem(`trunkline:c:${chat.id}`);
    await page.idbPut('chats', chat.id, whole);
    local.removeItem(`trunkline:c:${chat.id}`);
    page.onChatStored(chat.id, null, false);
    await patchGateway();
    expect(local.getItem(`trunkline:c:${chat.id}`)).toBeNull();
  });

  it('are quarantined if damaged in the archive', async () => {
    const page = await load();
    const chat = talk(page, 'Bad');
    page.addChat(chat);
    local.removeItem(`trunkline:c:${chat.id}`);
    page.patchEntry(chat.id, { cold: true });
    await page.idbPut('chats', chat.id, '{"v":1,"id":');
    const after = await load();
    expect(await after.readChat(chat.id)).toBeNull();
    expect(local.getItem(`trunkline:bad:${chat.id}`)).toBe('{"v":1,"id":');
    expect(after.listStore.get()).toEqual([]);
    expect(await after.idbKeys('chats')).toEqual([]);
    expect(after.noticeStore.get()).toHaveLength(1);
  });

  it('stay in localStorage to be quarantined if damaged', async () => {
    const chats = await filled(30, 50_000);
    const last = `trunkline:c:${chats[29]?.id}`;
    local.setItem(last, '{"v":1');
    await (await load()).archiveOld();
    expect(local.getItem(last)).toBe('{"v":1');
  });
});

describe('damaged entries', () => {
  it('quarantines a conversation and opens the others', async () => {
    const page = await load();
    const good = talk(page, 'Good');
    const bad = talk(page, 'Bad');
    page.addChat(good);
    page.addChat(bad);
    local.setItem(`trunkline:c:${bad.id}`, '{"v":1,"id":');
    const after = await load();
    expect(after.chatStore(bad.id).get()).toBeNull();
    expect(local.getItem(`trunkline:bad:${bad.id}`)).toBe('{"v":1,"id":');
    expect(after.listStore.get().map((entry) => entry.title)).toEqual(['Good']);
    expect(after.noticeStore.get()).toHaveLength(1);
  });

  it.each(['nonsense', '{}', '[{"id":1}]', 'null'])('rebuilds the list from %j', async (raw) => {
    const page = await load();
    page.addChat(talk(page, 'Found again'));
    local.setItem('trunkline:index', raw);
    const after = await load();
    expect(after.listStore.get().map((entry) => entry.title)).toEqual(['Found again']);
  });

  it('recovers conversations missing in the list', async () => {
    const page = await load();
    page.addChat(talk(page, 'Orphan'));
    local.setItem('trunkline:index', '[]');
    expect((await load()).listStore.get().map((entry) => entry.title)).toEqual(['Orphan']);
  });

  it('keeps the valid members of damaged settings', async () => {
    local.setItem('trunkline:settings', '{"theme":"dark","fontSize":"big","presets":{}}');
    const { settingsStore } = await load();
    expect(settingsStore.get()).toMatchObject({ theme: 'dark', fontSize: 16, presets: [] });
    local.setItem('trunkline:settings', '[');
    expect((await load()).settingsStore.get().theme).toBe('system');
  });
});

describe('several tabs', () => {
  it('merges into a conversation that another tab has changed', async () => {
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

  it('shows changes of another tab, and keeps its own stream', async () => {
    const page = await load();
    const chat = talk(page, 'Shared');
    page.addChat(chat);
    const theirs = { ...chat, title: 'Renamed', updated: chat.updated + 1 };
    page.onChatStored(chat.id, JSON.stringify(theirs), false);
    expect(page.chatStore(chat.id).get()?.title).toBe('Renamed');
    page.onChatStored(chat.id, JSON.stringify({ ...theirs, messages: {} }), true);
    expect(Object.keys(page.chatStore(chat.id).get()?.messages ?? {})).toHaveLength(1);
    page.onChatStored(chat.id, 'broken', false);
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
        .map((entry) => entry.title)
        .sort(),
    ).toEqual(['Ours', 'Theirs']);
  });
});

describe('export and import', () => {
  it('restores the exported conversation', async () => {
    const page = await load();
    const chat = talk(page, 'Travelled');
    page.addChat(chat);
    const json = await page.asJson([chat]);
    local.clear();
    const after = await load();
    expect(await after.importJson(json)).toBe(1);
    expect(after.chatStore(chat.id).get()?.messages).toEqual(chat.messages);
    // A second import makes a copy.
    await after.importJson(json);
    expect(after.listStore.get()).toHaveLength(2);
  });

  it('rejects a file that is not an export', async () => {
    const page = await load();
    const broken = talk(page, 'Broken');
    for (const message of Object.values(broken.messages))
      Object.assign(message, { toolResults: 'no list' });
    await expect(page.importJson(JSON.stringify(broken))).rejects.toThrow(/no conversation/);
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
