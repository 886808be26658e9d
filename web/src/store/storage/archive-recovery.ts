import { blobKeys, getBlob } from './blobs';
import { isConversation } from './check';
import { parseJson } from './disk';
import { changeList, entryOf, findEntry } from './list';
import type { IndexEntry } from './types';

/** Lists the conversations in IndexedDB that the list has lost. */
export async function findArchived(): Promise<void> {
  const lost = (await blobKeys('chats')).filter((id) => !findEntry(id));
  const found: IndexEntry[] = [];
  for (const id of lost) {
    const raw = await getBlob<string>('chats', id);
    const chat = raw === undefined ? 'bad' : parseJson(raw, isConversation);
    if (raw !== undefined && chat !== 'bad')
      found.push({ ...entryOf(chat, raw.length), cold: true });
  }
  if (found.length > 0) {
    changeList((all) => [...all, ...found.filter(({ id }) => !all.some((each) => each.id === id))]);
  }
}
