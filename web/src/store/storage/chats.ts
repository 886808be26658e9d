import { dropBlob, getBlob, putBlob } from './blobs';
import { isConversation } from './check';
import { createStore, type Store } from './create';
import { badKey, chatKey, dropDisk, parseJson, quarantine, readDisk, writeDisk } from './disk';
import { entryOf, findEntry, forgetEntry, listStore, patchEntry, putEntry } from './list';
import { notify } from './notices';
import { makeRoom } from './room';
import { merged } from './tree';
import type { Conversation } from './types';

/** The conversations that are open in this tab, and their way to the disk and back. */

/** `undefined`: still being read. `null`: there is none, or it cannot be read. */
export type ChatStore = Store<Conversation | null | undefined>;

const open = new Map<string, ChatStore>();
/** What lies on disk as far as this tab knows: anything else is another tab's doing. */
const lastSeen = new Map<string, string>();

/** True while something could not be kept: the page then asks for an export. */
export const trouble = createStore(false);

/** The conversation, read from disk on first use. */
export function chatStore(id: string): ChatStore {
  const known = open.get(id);
  if (known) return known;
  const store = createStore<Conversation | null | undefined>(fromDisk(id));
  open.set(id, store);
  if (store.get() === null && findEntry(id)) {
    store.set(undefined);
    void thaw(id).then((chat) => {
      if (store.get() === undefined) store.set(chat);
    });
  }
  return store;
}

/** The conversation wherever it lies, without keeping it open. */
export async function readChat(id: string): Promise<Conversation | null> {
  const here = open.get(id)?.get();
  if (here) return here;
  return fromDisk(id) ?? (findEntry(id) ? thaw(id) : null);
}

export function openIds(): string[] {
  return [...open.keys()];
}

/** Changes an open conversation and keeps it. */
export function changeChat(id: string, change: (chat: Conversation) => Conversation): void {
  const store = chatStore(id);
  const now = store.get();
  if (!now) return;
  const next = change(now);
  if (next === now) return;
  store.set(next);
  saveChat(id);
}

/** Takes in a new conversation. */
export function addChat(chat: Conversation): void {
  open.set(chat.id, createStore<Conversation | null | undefined>(chat));
  saveChat(chat.id);
}

/** Writes an open conversation, together with what another tab added to it. */
export function saveChat(id: string): void {
  const store = open.get(id);
  let chat = store?.get();
  if (!store || !chat) return;
  // A comparison that nothing was asked in is not worth a place in the list.
  if (chat.lanes && Object.keys(chat.messages).length === 0) return;
  const onDisk = readDisk(chatKey(id));
  if (onDisk !== null && onDisk !== lastSeen.get(id)) {
    const theirs = parseJson(onDisk, isConversation);
    if (theirs !== 'bad') chat = merged(chat, theirs);
    store.set(chat);
  }
  const raw = JSON.stringify(chat);
  const entry = { ...entryOf(chat, raw.length), ...deletion(id) };
  const written = writeDisk(chatKey(id), raw);
  if (written === 'ok') {
    trouble.set(false);
    lastSeen.set(id, raw);
    if (findEntry(id)?.cold) void dropBlob('chats', id).catch(() => {});
    putEntry(entry);
  } else {
    putEntry({ ...entry, ...(findEntry(id)?.cold && { cold: true }) });
    void saveElsewhere(id, raw);
  }
}

/** The disk is full: older conversations go to IndexedDB, or else this one does. */
async function saveElsewhere(id: string, raw: string): Promise<void> {
  if (await makeRoom(raw.length, id, () => writeDisk(chatKey(id), raw) === 'ok')) {
    lastSeen.set(id, raw);
    return;
  }
  try {
    await putBlob('chats', id, raw);
    // The older version must not be found before the newer one.
    dropDisk(chatKey(id));
    lastSeen.delete(id);
    patchEntry(id, { cold: true });
  } catch {
    trouble.set(true);
  }
}

/** Takes over what another tab wrote. `keep`: this tab is writing to it, too. */
export function onChatEvent(id: string, raw: string | null, keep: boolean): void {
  const store = open.get(id);
  const now = store?.get();
  if (!store) return;
  if (raw === null) return void keepOurs(id);
  const theirs = parseJson(raw, isConversation);
  if (theirs === 'bad') return;
  lastSeen.set(id, raw);
  store.set(now && keep ? merged(now, theirs) : theirs);
}

/** Another tab has put it away, or removed it for good: what this tab knows more of stays. */
async function keepOurs(id: string): Promise<void> {
  const away = await thaw(id);
  const store = open.get(id);
  const now = store?.get();
  if (!away || !store || !now || readDisk(chatKey(id)) !== null) return;
  if (JSON.stringify(away) === lastSeen.get(id)) return;
  store.set(merged(now, away));
  saveChat(id);
}

/** Hides a conversation at once. It can be brought back for a while. */
export function removeChats(ids: string[]): void {
  const now = Date.now();
  for (const id of ids) patchEntry(id, { deleted: now });
  const text = ids.length === 1 ? 'Conversation deleted.' : `${ids.length} conversations deleted.`;
  notify(text, { label: 'Undo', run: () => ids.forEach(restoreChat) }, 12_000);
}

export function restoreChat(id: string): void {
  const found = findEntry(id);
  if (!found) return;
  const { deleted: _, ...entry } = found;
  putEntry(entry);
}

/** Removes for good. */
export async function purge(ids: string[]): Promise<void> {
  for (const id of ids) {
    const chat = await readChat(id);
    const images = imagesOf(chat);
    const shared = new Set(images.length > 0 ? await imagesOfOthers(id) : []);
    for (const image of images) {
      if (!shared.has(image)) void dropBlob('images', image).catch(() => {});
    }
    try {
      // First, so that none is found again that the list has forgotten.
      await dropBlob('chats', id);
    } catch {
      // Without IndexedDB there is none there; one that fails is kept for the next try.
      if (findEntry(id)?.cold) continue;
    }
    open.delete(id);
    lastSeen.delete(id);
    forgetEntry(id);
  }
}

/** A kept answer or an imported copy may show the same image. */
async function imagesOfOthers(id: string): Promise<string[]> {
  const chats = await Promise.all(
    listStore
      .get()
      .filter((each) => each.id !== id)
      .map((each) => readChat(each.id)),
  );
  return chats.flatMap(imagesOf);
}

function imagesOf(chat: Conversation | null): string[] {
  return Object.values(chat?.messages ?? {})
    .flatMap((each) => each.attachments ?? [])
    .filter((each) => each.kind === 'image')
    .map((each) => each.id);
}

function deletion(id: string): { deleted?: number } {
  const deleted = findEntry(id)?.deleted;
  return deleted ? { deleted } : {};
}

function fromDisk(id: string): Conversation | null {
  const raw = readDisk(chatKey(id));
  if (raw === null) return null;
  const chat = parseJson(raw, isConversation);
  if (chat === 'bad') {
    quarantine(chatKey(id), id);
    sayDamaged(id);
    return null;
  }
  lastSeen.set(id, raw);
  return chat;
}

async function thaw(id: string): Promise<Conversation | null> {
  try {
    const raw = await getBlob<string>('chats', id);
    // Another tab may have brought it back since.
    if (raw === undefined) return fromDisk(id);
    const chat = parseJson(raw, isConversation);
    if (chat !== 'bad') return chat;
    if (writeDisk(badKey(id), raw) === 'ok') {
      await dropBlob('chats', id);
      sayDamaged(id);
    }
    return null;
  } catch {
    return null;
  }
}

function sayDamaged(id: string): void {
  forgetEntry(id);
  notify('One conversation was damaged. It was set aside; Settings, Data can hand it out.');
}
