import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, expect, it, vi } from 'vitest';
import { type FakeStorage, install } from './browser';

const DAY = 86_400_000;
const START = 1_000 * DAY;

let local: FakeStorage;

async function load() {
  vi.resetModules();
  const [orphans, blobs] = await Promise.all([
    import('../../src/store/storage/orphans'),
    import('../../src/store/storage/indexed-db'),
  ]);
  const images = async () => (await blobs.idbKeys('images')).sort();
  return { ...orphans, ...blobs, images };
}

/** As a message, a draft and a waiting question have it. */
const attached = (id: string) =>
  JSON.stringify({ text: '', attachments: [{ id, kind: 'image', name: 'a.png' }] });

beforeEach(() => {
  local = install().local;
  globalThis.indexedDB = new IDBFactory();
});

it('removes images that nothing has named for a week, and no other', async () => {
  const page = await load();
  const used = ['of-chat', 'of-draft', 'of-queue', 'of-damaged', 'of-archive'];
  for (const id of [...used, 'orphan']) await page.idbPut('images', id, 'picture');
  local.setItem('trunkline:c:1', attached('of-chat'));
  local.setItem('trunkline:d:new', attached('of-draft'));
  local.setItem('trunkline:q:1', `[${attached('of-queue')}]`);
  local.setItem('trunkline:bad:2', `${attached('of-damaged').slice(0, -4)}`);
  await page.idbPut('chats', '3', attached('of-archive'));
  for (const day of [0, 1, 6]) {
    await page.removeOrphans(START + day * DAY);
    expect(await page.images()).toContain('orphan');
  }
  await page.removeOrphans(START + 8 * DAY);
  expect(await page.images()).toEqual([...used].sort());
});

it('keeps an image that is named again, and counts anew after that', async () => {
  const page = await load();
  await page.idbPut('images', 'picture', 'picture');
  await page.removeOrphans(START);
  local.setItem('trunkline:d:new', attached('picture'));
  await page.removeOrphans(START + 6 * DAY);
  local.removeItem('trunkline:d:new');
  await page.removeOrphans(START + 12 * DAY);
  expect(await page.images()).toEqual(['picture']);
  await page.removeOrphans(START + 20 * DAY);
  expect(await page.images()).toEqual([]);
});

it('searches once a day, whatever the clock does', async () => {
  const page = await load();
  await page.removeOrphans(START);
  const { at } = JSON.parse(local.getItem('trunkline:orphans') ?? '{}');
  expect(at).toBe(START);
  await page.removeOrphans(START + DAY / 2);
  expect(JSON.parse(local.getItem('trunkline:orphans') ?? '{}').at).toBe(START);
  await page.removeOrphans(START - DAY);
  expect(JSON.parse(local.getItem('trunkline:orphans') ?? '{}').at).toBe(START - DAY);
});

it('takes no image when its record is damaged', async () => {
  const page = await load();
  await page.idbPut('images', 'picture', 'picture');
  local.setItem('trunkline:orphans', '{"at":0,"since":{"picture":"0"}}');
  await page.removeOrphans(START);
  expect(await page.images()).toEqual(['picture']);
});
