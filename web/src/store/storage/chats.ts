import { t } from '../../i18n';
import { createStore, type Store } from '../create-store';
import { stopRuns } from '../live';
import { notify } from '../notices';
import { isTemporary } from '../temporary';
import { mergeConversations } from '../tree';
import type { Conversation } from '../types';
import { isConversation } from '../validate';
import { freeSpace } from './archive-policy';
import { entryOf, findEntry, listStore, patchEntry, putEntry, removeEntry } from './chat-list';
import { idbDelete, idbGet, idbPut } from './indexed-db';
import {
  badKey,
  chatKey,
  draftKey,
  itemKeys,
  parseJson,
  quarantine,
  queueKey,
  readItem,
  removeItem,
  writeItem,
} from './local-storage';

/** The conversations open in this tab, and how they are loaded and saved. */

/** `undefined`: loading. `null`: missing or unreadable. */
export type ChatStore = Store<Conversation | null | undefined>;

const open = new Map<string, ChatStore>();
/** The stored JSON that this tab last read or wrote; a different one is from another tab. */
const lastStored = new Map<string, string>();

/** The newest versions for which localStorage had no room; each is being saved. */
const waiting = new Map<string, string>();

/** True while a conversation could not be saved: the page then offers an export. */
export const saveFailed = createStore(false);

/** Loaded on first use. */
export function chatStore(id: string): ChatStore {
  const known = open.get(id);
  if (known) return known;
  const store = createStore<Conversation | null | undefined>(loadLocal(id));
  open.set(id, store);
  if (store.get() === null && findEntry(id)) {
    store.set(undefined);
    void loadArchived(id).then((chat) => {
      if (store.get() === undefined) store.set(chat);
    });
  }
  return store;
}

/** The conversation from any tier, without keeping it open. */
export async function readChat(id: string): Promise<Conversation | null> {
  const here = open.get(id)?.get();
  if (here) return here;
  return loadLocal(id) ?? (findEntry(id) ? loadArchived(id) : null);
}

export function openIds(): string[] {
  return [...open.keys()];
}

/** Changes an open conversation and saves it. */
export function changeChat(id: string, change: (chat: Conversation) => Conversation): void {
  const store = chatStore(id);
  const now = store.get();
  if (!now) return;
  const next = change(now);
  if (next === now) return;
  store.set(next);
  saveChat(id);
}

export function addChat(chat: Conversation): void {
  open.set(chat.id, createStore<Conversation | null | undefined>(chat));
  saveChat(chat.id);
}

/** Saves an open conversation, merged with changes of other tabs. */
export function saveChat(id: string): void {
  const store = open.get(id);
  let chat = store?.get();
  if (!store || !chat) return;
  if (isTemporary(id)) return;
  // An empty comparison is not listed.
  if (chat.lanes && Object.keys(chat.messages).length === 0) return;
  const onDisk = readItem(chatKey(id));
  if (onDisk !== null && onDisk !== lastStored.get(id)) {
    const theirs = parseJson(onDisk, isConversation);
    if (theirs !== 'bad') chat = mergeConversations(chat, theirs);
    store.set(chat);
  }
  const raw = JSON.stringify(chat);
  const entry = { ...entryOf(chat, raw.length), ...deletedMark(id) };
  const written = writeItem(chatKey(id), raw);
  if (written === 'ok') {
    saveFailed.set(false);
    waiting.delete(id);
    lastStored.set(id, raw);
    if (findEntry(id)?.cold) void idbDelete('chats', id).catch(() => {});
    putEntry(entry);
  } else {
    putEntry({ ...entry, ...(findEntry(id)?.cold && { cold: true }) });
    const isBeingSaved = waiting.has(id);
    waiting.set(id, raw);
    if (!isBeingSaved) void saveWhenFull(id);
  }
}

/** localStorage is full: archive older conversations, or else this one. */
async function saveWhenFull(id: string): Promise<void> {
  const write = () => {
    const raw = waiting.get(id);
    // A later version found room.
    if (raw === undefined) return true;
    if (writeItem(chatKey(id), raw) !== 'ok') return false;
    waiting.delete(id);
    lastStored.set(id, raw);
    return true;
  };
  if (await freeSpace(waiting.get(id)?.length ?? 0, id, write)) return;
  try {
    let raw = waiting.get(id);
    while (raw !== undefined) {
      await idbPut('chats', id, raw);
      const newest = waiting.get(id);
      if (newest === raw) break;
      raw = newest;
    }
    // Else the older version would be found first.
    if (waiting.delete(id)) {
      removeItem(chatKey(id));
      lastStored.delete(id);
      patchEntry(id, { cold: true });
    }
  } catch {
    waiting.delete(id);
    saveFailed.set(true);
  }
}

/** Applies a change by another tab. `keep`: this tab is writing to the conversation too. */
export function onChatStored(id: string, raw: string | null, keep: boolean): void {
  const store = open.get(id);
  const now = store?.get();
  if (!store) return;
  if (raw === null) return void keepLocalChanges(id);
  const theirs = parseJson(raw, isConversation);
  if (theirs === 'bad') return;
  lastStored.set(id, raw);
  store.set(now && keep ? mergeConversations(now, theirs) : theirs);
}

/** Another tab archived or deleted the conversation: messages that only this tab has are kept. */
async function keepLocalChanges(id: string): Promise<void> {
  const archived = await loadArchived(id);
  const store = open.get(id);
  const now = store?.get();
  if (!archived || !store || !now || readItem(chatKey(id)) !== null) return;
  if (JSON.stringify(archived) === lastStored.get(id)) return;
  store.set(mergeConversations(now, archived));
  saveChat(id);
}

/** Hides conversations at once; undo restores them. */
export function removeChats(ids: string[]): void {
  const now = Date.now();
  for (const id of ids) patchEntry(id, { deleted: now });
  stopRuns((run) => ids.includes(run.chat));
  const text = t('list.deleted', { n: ids.length });
  notify(text, { label: t('ui.undo'), run: () => ids.forEach(restoreChat) }, 12_000);
}

export function restoreChat(id: string): void {
  const found = findEntry(id);
  if (!found) return;
  const { deleted: _, ...entry } = found;
  putEntry(entry);
}

/** Deletes permanently. */
export async function purge(ids: string[]): Promise<void> {
  for (const id of ids) {
    const chat = await readChat(id);
    const images = imagesOf(chat);
    const shared = new Set(images.length > 0 ? await imagesOfOthers(id) : []);
    for (const image of images) {
      if (!shared.has(image)) void idbDelete('images', image).catch(() => {});
    }
    try {
      // Before the entry, or `recoverArchived` could find it again.
      await idbDelete('chats', id);
    } catch {
      // Without IndexedDB there is no archived copy; if deletion fails, the entry stays for the
      // next attempt.
      if (findEntry(id)?.cold) continue;
    }
    open.delete(id);
    waiting.delete(id);
    lastStored.delete(id);
    removeItem(queueKey(id));
    removeItem(draftKey(id));
    // Of its messages.
    for (const key of itemKeys()) if (key.startsWith(draftKey(`${id}/`))) removeItem(key);
    removeEntry(id);
  }
}

/** A kept lane or an imported copy may use the same image. */
async function imagesOfOthers(id: string): Promise<string[]> {
  const chats = await Promise.all(
    listStore
      .get()
      .filter((entry) => entry.id !== id)
      .map((entry) => readChat(entry.id)),
  );
  return chats.flatMap(imagesOf);
}

function imagesOf(chat: Conversation | null): string[] {
  return Object.values(chat?.messages ?? {})
    .flatMap((message) => message.attachments ?? [])
    .filter((attachment) => attachment.kind === 'image')
    .map((attachment) => attachment.id);
}

function deletedMark(id: string): { deleted?: number } {
  const deleted = findEntry(id)?.deleted;
  return deleted ? { deleted } : {};
}

function loadLocal(id: string): Conversation | null {
  const raw = readItem(chatKey(id));
  if (raw === null) return null;
  const chat = parseJson(raw, isConversation);
  if (chat === 'bad') {
    quarantine(chatKey(id), id);
    reportDamaged(id);
    return null;
  }
  lastStored.set(id, raw);
  return chat;
}

async function loadArchived(id: string): Promise<Conversation | null> {
  try {
    const raw = await idbGet<string>('chats', id);
    // Another tab may have moved it back in the meantime.
    if (raw === undefined) return loadLocal(id);
    const chat = parseJson(raw, isConversation);
    if (chat !== 'bad') return chat;
    if (writeItem(badKey(id), raw) === 'ok') {
      await idbDelete('chats', id);
      reportDamaged(id);
    }
    return null;
  } catch {
    return null;
  }
}

function reportDamaged(id: string): void {
  removeEntry(id);
  notify(t('list.damaged'));
}
