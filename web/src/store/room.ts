import { putBlob } from './blobs';
import { chatKey, dropDisk, readDisk } from './disk';
import { listStore, patchEntry } from './list';

/**
 * Moves the oldest conversations whole to IndexedDB until `retry` succeeds.
 * Nothing is removed before its copy is safe, and nothing is ever dropped.
 */
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
    const raw = readDisk(chatKey(id));
    if (raw === null) continue;
    try {
      await putBlob('chats', id, raw);
    } catch {
      return false;
    }
    // Another tab may have written to it in the meantime: then it stays.
    if (readDisk(chatKey(id)) !== raw) continue;
    dropDisk(chatKey(id));
    patchEntry(id, { cold: true });
    freed += raw.length;
    if (freed >= wanted && retry()) return true;
  }
  return retry();
}
