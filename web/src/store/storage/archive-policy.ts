import { isConversation } from '../validate';
import { changeList, listStore } from './chat-list';
import { idbPutAll } from './indexed-db';
import { chatKey, parseJson, readItem, removeItem } from './local-storage';

/**
 * Which conversations are in localStorage and which are archived in IndexedDB. Nothing is removed
 * from localStorage before its copy is committed, and nothing is ever discarded.
 */

/**
 * Characters of the newest conversations that stay in localStorage. A browser reads all of
 * localStorage before it returns the first entry, and so before the page can draw: five million
 * took ten times as long as this.
 */
const RECENT_CHARS = 500_000;
/** A conversation changed more recently may be open in another tab. */
const UNTOUCHED_MS = 10 * 60_000;
/** Conversations moved per transaction, so that the page stays responsive. */
const BATCH = 8;

/** Archives all but the newest conversations. Rejects if IndexedDB is not available. */
export async function archiveOld(now = Date.now()): Promise<void> {
  let kept = 0;
  const older = [...listStore.get()]
    .filter((entry) => !entry.cold)
    .sort((a, b) => b.updated - a.updated)
    .filter((entry) => {
      kept += entry.bytes || 0;
      return kept > RECENT_CHARS && now - entry.updated > UNTOUCHED_MS;
    })
    .map((entry) => entry.id);
  for (let i = 0; i < older.length; i += BATCH) await archive(older.slice(i, i + BATCH));
}

/** Archives the oldest conversations until `retry` succeeds. */
export async function freeSpace(
  wanted: number,
  except: string,
  retry: () => boolean,
): Promise<boolean> {
  const oldest = [...listStore.get()]
    .filter((entry) => !entry.cold && entry.id !== except)
    .sort((a, b) => a.updated - b.updated);
  let freed = 0;
  for (const { id } of oldest) {
    try {
      freed += await archive([id]);
    } catch {
      return false;
    }
    if (freed >= wanted && retry()) return true;
  }
  return retry();
}

/** Moves conversations to IndexedDB. Returns the number of characters freed. */
async function archive(ids: string[]): Promise<number> {
  const copies = ids
    .map((id): [string, string] => [id, readItem(chatKey(id)) ?? ''])
    // A damaged one stays, to be quarantined when it is opened.
    .filter(([, raw]) => raw !== '' && parseJson(raw, isConversation) !== 'bad');
  await idbPutAll('chats', copies);
  // Another tab may have written to it in the meantime: then it stays.
  const moved = new Map(copies.filter(([id, raw]) => readItem(chatKey(id)) === raw));
  if (moved.size === 0) return 0;
  const mark = () =>
    changeList((all) =>
      all.map((entry) => (moved.has(entry.id) ? { ...entry, cold: true } : entry)),
    );
  // Before the removal, so that the list never points to a missing conversation; and after it,
  // since a full localStorage may have rejected the first write.
  mark();
  for (const id of moved.keys()) removeItem(chatKey(id));
  mark();
  return [...moved.values()].reduce((sum, raw) => sum + raw.length, 0);
}
