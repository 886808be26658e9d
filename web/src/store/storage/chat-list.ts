import { isConversation, isEntry, isIndex } from './check';
import { createStore } from './create';
import {
  chatKey,
  diskKeys,
  dropDisk,
  INDEX,
  parseJson,
  quarantine,
  readDisk,
  writeDisk,
} from './disk';
import { notify } from './notices';
import type { Conversation, IndexEntry } from './types';

/** The list of conversations, pinned ones first, then by their last change. */
export const listStore = createStore<IndexEntry[]>([]);

/** How long a deletion can be undone, and then for how long it is still kept. */
const UNDO_MS = 60_000;

export function entryOf(chat: Conversation, bytes: number): IndexEntry {
  return {
    id: chat.id,
    title: chat.title,
    model: chat.model,
    updated: chat.updated,
    bytes,
    pinned: chat.pinned,
    ...(chat.lanes && { compare: true }),
  };
}

/**
 * Changes the list on disk. It is read anew each time, since another tab may
 * have written it.
 */
export function changeList(change: (entries: IndexEntry[]) => IndexEntry[]): void {
  const raw = readDisk(INDEX);
  const now = raw === null ? listStore.get() : parseJson(raw, isIndex);
  const next = change(now === 'bad' ? rebuilt() : now).sort(byRank);
  writeDisk(INDEX, JSON.stringify(next));
  listStore.set(next);
}

export function putEntry(entry: IndexEntry): void {
  changeList((all) => [entry, ...all.filter((each) => each.id !== entry.id)]);
}

export function patchEntry(id: string, patch: Partial<IndexEntry>): void {
  changeList((all) => all.map((each) => (each.id === id ? { ...each, ...patch } : each)));
}

export function findEntry(id: string): IndexEntry | undefined {
  return listStore.get().find((each) => each.id === id);
}

/** Reads the list at the start, and repairs it from the conversations themselves. */
export function loadList(): void {
  const raw = readDisk(INDEX);
  const found = raw === null ? [] : parseJson(raw, isIndex);
  if (found === 'bad') {
    quarantine(INDEX, 'index');
    notify('The list of conversations was damaged and has been rebuilt.');
  }
  const entries = found === 'bad' ? rebuilt() : found;
  const known = new Set(entries.map((each) => each.id));
  const lost = chatIds().filter((id) => !known.has(id));
  const all = [...entries, ...lost.map(entryFromDisk).filter((each) => each !== undefined)];
  listStore.set(all.sort(byRank));
  if (found === 'bad' || all.length > entries.length) changeList(() => all);
}

/** Reads the list again after another tab wrote it. */
export function reloadList(): void {
  const raw = readDisk(INDEX);
  const found = raw === null ? [] : parseJson(raw, isIndex);
  if (found !== 'bad') listStore.set(found.sort(byRank));
}

/** Entries whose deletion is past undoing. */
export function expired(now = Date.now()): IndexEntry[] {
  return listStore.get().filter((each) => each.deleted && now - each.deleted > UNDO_MS);
}

function rebuilt(): IndexEntry[] {
  return chatIds()
    .map(entryFromDisk)
    .filter((each) => each !== undefined);
}

function chatIds(): string[] {
  const start = chatKey('');
  return diskKeys()
    .filter((key) => key.startsWith(start))
    .map((key) => key.slice(start.length));
}

function entryFromDisk(id: string): IndexEntry | undefined {
  const raw = readDisk(chatKey(id));
  if (raw === null) return undefined;
  const chat = parseJson(raw, isConversation);
  if (chat === 'bad') {
    quarantine(chatKey(id), id);
    return undefined;
  }
  const entry = entryOf(chat, raw.length);
  return isEntry(entry) ? entry : undefined;
}

export function forgetEntry(id: string): void {
  dropDisk(chatKey(id));
  changeList((all) => all.filter((each) => each.id !== id));
}

function byRank(a: IndexEntry, b: IndexEntry): number {
  return Number(b.pinned) - Number(a.pinned) || b.updated - a.updated;
}
