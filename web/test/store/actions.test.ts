import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Progress, RunOptions } from '../../src/api/run';
import type { ChatRequest } from '../../src/api/types';
import { type FakeStorage, install } from './browser';

interface Run extends RunOptions {
  request: ChatRequest;
  end(progress: Progress): void;
}

let local: FakeStorage;
/** The requests to models, oldest first. */
let runs: Run[];

// Of the whole file: registered for each test, it sometimes came after the imports.
vi.mock('../../src/api/lazy-run', () => ({
  runChat: (request: ChatRequest, options: RunOptions) =>
    new Promise<Progress>((end) => {
      runs.push({ request, ...options, end });
      options.signal.addEventListener('abort', () => end({ state: 'stopped', text: '' }));
    }),
}));

async function load() {
  vi.resetModules();
  const [actions, chats, settings, temporary, images, queue] = await Promise.all([
    import('../../src/store/actions'),
    import('../../src/store/storage/chats'),
    import('../../src/store/settings'),
    import('../../src/store/temporary'),
    import('../../src/store/storage/images'),
    import('../../src/store/queue'),
  ]);
  settings.changeSettings({ model: 'm' });
  return { ...actions, ...chats, ...settings, ...temporary, ...images, ...queue };
}

type Page = Awaited<ReturnType<typeof load>>;

const draft = (text: string) => ({ text, attachments: [] });

async function run(at: number): Promise<Run> {
  await vi.waitFor(() => expect(runs.length).toBeGreaterThan(at));
  return runs[at] as Run;
}

async function answer(at: number, text = 'An answer'): Promise<void> {
  (await run(at)).end({ state: 'done', text });
}

beforeEach(() => {
  local = install().local;
  runs = [];
  globalThis.indexedDB = new IDBFactory();
  vi.stubGlobal('document', { visibilityState: 'visible', baseURI: 'http://gateway.test/' });
  vi.stubGlobal('cancelAnimationFrame', () => {});
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no gateway')));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a title made by a model', () => {
  let page: Page;
  const titleOf = (id: string) => page.chatStore(id).get()?.title;
  const models = () => runs.map((run) => run.request.model);
  beforeEach(async () => {
    page = await load();
    page.changeSettings({ titleModel: 'titles' });
  });

  it('is made although the next question follows at once', async () => {
    const id = page.send(null, draft('First'));
    page.send(id, draft('Second'));
    await answer(0);
    await run(2);
    expect(models().slice(1).sort()).toEqual(['m', 'titles']);
    runs.find((run) => run.request.model === 'titles')?.end({ state: 'done', text: 'A title' });
    await vi.waitFor(() => expect(titleOf(id)).toBe('A title'));
  });

  it('is made once, and not again with another answer to the first question', async () => {
    const id = page.send(null, draft('First'));
    await answer(0);
    await answer(1, 'A title');
    await vi.waitFor(() => expect(titleOf(id)).toBe('A title'));
    const first = Object.values(page.chatStore(id).get()?.messages ?? {})[1];
    if (first) page.regenerate(id, first);
    await answer(2);
    await vi.waitFor(() =>
      expect(Object.values(page.chatStore(id).get()?.messages ?? {}).at(-1)?.state).toBe('done'),
    );
    page.send(id, draft('Second'));
    await run(3);
    expect(models()).toEqual(['m', 'titles', 'm', 'm']);
  });

  it('leaves the name that the user gave meanwhile', async () => {
    const id = page.send(null, draft('First'));
    await answer(0);
    const request = await run(1);
    page.setTitle(id, 'Mine');
    request.end({ state: 'done', text: 'A title' });
    await new Promise((done) => setTimeout(done));
    expect(titleOf(id)).toBe('Mine');
  });

  it('ends with its conversation', async () => {
    const id = page.send(null, draft('First'));
    await answer(0);
    const { signal } = await run(1);
    page.removeChats([id]);
    expect(signal.aborted).toBe(true);
  });
});

describe('a temporary conversation', () => {
  it('stays one as a comparison, and as a lane that is kept', async () => {
    const page = await load();
    page.nextIsTemporary.set(true);
    const id = page.startComparison(['a', 'b']);
    expect(page.nextIsTemporary.get()).toBe(false);
    page.send(id, draft('secret'));
    await answer(0, 'secret');
    await answer(1, 'secret');
    const chat = page.chatStore(id).get();
    const kept = chat && page.keepLane(chat, chat.lanes?.[0]?.id ?? '');
    expect(page.isTemporary(kept ?? '')).toBe(true);
    expect(JSON.stringify([...local.entries])).not.toContain('secret');
    expect(page.isTemporary(page.startComparison(['a', 'b']))).toBe(false);
  });

  it('takes its images off the disk, and an ordinary one stores its own', async () => {
    const page = await load();
    const { idbGet } = await import('../../src/store/storage/indexed-db');
    const image = { kind: 'image', name: 'a.png', mime: 'image/png', bytes: 1 } as const;
    const blob = new Blob(['x']);
    await page.putImage('was-on-disk', blob, false);
    page.settleImages([{ ...image, id: 'was-on-disk' }], true);
    await vi.waitFor(async () => expect(await idbGet('images', 'was-on-disk')).toBeUndefined());
    expect(await page.getImage('was-on-disk')).toBeDefined();
    await page.putImage('was-in-memory', blob, true);
    page.settleImages([{ ...image, id: 'was-in-memory' }], false);
    await vi.waitFor(async () => expect(await idbGet('images', 'was-in-memory')).toBeDefined());
  });
});
