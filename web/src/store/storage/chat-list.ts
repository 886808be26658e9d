import { t } from '../../i18n';
import { createStore } from '../create-store';
import { notify } from '../notices';
import type { Conversation, IndexEntry } from '../types';
import { isConversation, isEntry, isIndex } from '../validate';
import {
  chatKey,
  INDEX,
  itemKeys,
  parseJson,
  quarantine,
  readItem,
  removeItem,
  writeItem,
} from './local-storage';

/** Pinned conversations first, then by last change. */
export const listStore = createStore<IndexEntry[]>([]);

/** Time in which a deletion can be undone; purged after it. */
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

/** Reads the stored list, changes it and writes it back: another tab may have changed it. */
export function changeList(change: (entries: IndexEntry[]) => IndexEntry[]): void {
  const raw = readItem(INDEX);
  const now = raw === null ? listStore.get() : parseJson(raw, isIndex);
  const next = change(now === 'bad' ? rebuildEntries() : now).sort(byRank);
  writeItem(INDEX, JSON.stringify(next));
  listStore.set(next);
}

export function putEntry(entry: IndexEntry): void {
  changeList((all) => [entry, ...all.filter((other) => other.id !== entry.id)]);
}

export function patchEntry(id: string, patch: Partial<IndexEntry>): void {
  changeList((all) => all.map((entry) => (entry.id === id ? { ...entry, ...patch } : entry)));
}

export function findEntry(id: string): IndexEntry | undefined {
  return listStore.get().find((entry) => entry.id === id);
}

/** Loads the list, and repairs it from the stored conversations. */
export function loadList(): void {
  const raw = readItem(INDEX);
  const found = raw === null ? [] : parseJson(raw, isIndex);
  if (found === 'bad') {
    quarantine(INDEX, 'index');
    notify(t('list.rebuilt'));
  }
  const entries = found === 'bad' ? rebuildEntries() : found;
  const known = new Set(entries.map((entry) => entry.id));
  const lost = chatIds().filter((id) => !known.has(id));
  const all = [...entries, ...lost.map(readEntry).filter((entry) => entry !== undefined)];
  listStore.set(all.sort(byRank));
  if (found === 'bad' || all.length > entries.length) changeList(() => all);
}

/** After a change by another tab. */
export function rereadList(): void {
  const raw = readItem(INDEX);
  const found = raw === null ? [] : parseJson(raw, isIndex);
  if (found !== 'bad') listStore.set(found.sort(byRank));
}

/** Deleted entries that can no longer be restored. */
export function expired(now = Date.now()): IndexEntry[] {
  return listStore.get().filter((entry) => entry.deleted && now - entry.deleted > UNDO_MS);
}

function rebuildEntries(): IndexEntry[] {
  return chatIds()
    .map(readEntry)
    .filter((entry) => entry !== undefined);
}

function chatIds(): string[] {
  const start = chatKey('');
  return itemKeys()
    .filter((key) => key.startsWith(start))
    .map((key) => key.slice(start.length));
}

function readEntry(id: string): IndexEntry | undefined {
  const raw = readItem(chatKey(id));
  if (raw === null) return undefined;
  const chat = parseJson(raw, isConversation);
  if (chat === 'bad') {
    quarantine(chatKey(id), id);
    return undefined;
  }
  const entry = entryOf(chat, raw.length);
  return isEntry(entry) ? entry : undefined;
}

export function removeEntry(id: string): void {
  removeItem(chatKey(id));
  changeList((all) => all.filter((entry) => entry.id !== id));
}

function byRank(a: IndexEntry, b: IndexEntry): number {
  return Number(b.pinned) - Number(a.pinned) || b.updated - a.updated;
}
