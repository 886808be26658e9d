import { putBlobs } from './blobs';
import { isConversation } from './check';
import { chatKey, dropDisk, parseJson, readDisk } from './disk';
import { changeList, listStore } from './list';

/**
 * What of the conversations lies in localStorage and what in IndexedDB. Nothing
 * is removed here before its copy there is safe, and nothing is ever dropped.
 */

/**
 * Characters of conversations that stay in localStorage, the newest. A browser
 * reads all that is there before it hands out the first entry, and so before
 * the page can draw: five million took ten times as long as this.
 */
const RECENT = 500_000;
/** What was changed this lately may still be in the hands of another tab. */
const SETTLED_MS = 10 * 60_000;
/** So many are moved before the page has its turn. */
const AT_ONCE = 8;

/** Moves all but the newest conversations to IndexedDB. Rejects where that is not to be had. */
export async function keepRecent(now = Date.now()): Promise<void> {
  let kept = 0;
  const older = [...listStore.get()]
    .filter((each) => !each.cold)
    .sort((a, b) => b.updated - a.updated)
    .filter((each) => {
      kept += each.bytes || 0;
      return kept > RECENT && now - each.updated > SETTLED_MS;
    })
    .map((each) => each.id);
  for (let i = 0; i < older.length; i += AT_ONCE) await putAway(older.slice(i, i + AT_ONCE));
}

/** Moves the oldest conversations to IndexedDB until `retry` succeeds. */
export async function makeRoom(
  wanted: number,
  except: string,
  retry: () => boolean,
): Promise<boolean> {
  const oldest = [...listStore.get()]
    .filter((each) => !each.cold && each.id !== except)
    .sort((a, b) => a.updated - b.updated);
  let freed = 0;
  for (const { id } of oldest) {
    try {
      freed += await putAway([id]);
    } catch {
      return false;
    }
    if (freed >= wanted && retry()) return true;
  }
  return retry();
}

/** Moves these to IndexedDB. Says how many characters that freed. */
async function putAway(ids: string[]): Promise<number> {
  const copies = ids
    .map((id): [string, string] => [id, readDisk(chatKey(id)) ?? ''])
    // A damaged one stays, to be set aside when it is opened.
    .filter(([, raw]) => raw !== '' && parseJson(raw, isConversation) !== 'bad');
  await putBlobs('chats', copies);
  // Another tab may have written to one in the meantime: then it stays.
  const moved = new Map(copies.filter(([id, raw]) => readDisk(chatKey(id)) === raw));
  if (moved.size === 0) return 0;
  const mark = () =>
    changeList((all) => all.map((each) => (moved.has(each.id) ? { ...each, cold: true } : each)));
  // Before they go, so that the list never names one that is in neither place;
  // and after, since a full disk may have had no room for the mark.
  mark();
  for (const id of moved.keys()) dropDisk(chatKey(id));
  mark();
  return [...moved.values()].reduce((sum, raw) => sum + raw.length, 0);
}
