import type { IndexEntry } from '../types';
import { isConversation } from '../validate';
import { changeList, entryOf, findEntry } from './chat-list';
import { idbGet, idbKeys } from './indexed-db';
import { parseJson } from './local-storage';

/** Adds archived conversations that the list has lost. */
export async function recoverArchived(): Promise<void> {
  const lost = (await idbKeys('chats')).filter((id) => !findEntry(id));
  const found: IndexEntry[] = [];
  for (const id of lost) {
    const raw = await idbGet<string>('chats', id);
    const chat = raw === undefined ? 'bad' : parseJson(raw, isConversation);
    if (raw !== undefined && chat !== 'bad')
      found.push({ ...entryOf(chat, raw.length), cold: true });
  }
  if (found.length > 0) {
    changeList((all) => [
      ...all,
      ...found.filter(({ id }) => !all.some((entry) => entry.id === id)),
    ]);
  }
}
