import type { Draft } from './actions';
import { createStore, type Store } from './create-store';
import { newId } from './id';
import { saveFailed } from './storage/chats';
import { parseJson, queueKey, readItem, removeItem, writeItem } from './storage/local-storage';
import { isTemporary } from './temporary';
import { isObject } from './validate';

/**
 * Questions sent while an answer was streaming, in order. On disk, since the browser may discard
 * the tab.
 */
export interface Queued extends Draft {
  id: string;
}

const stores = new Map<string, Store<Queued[]>>();
/** Conversations whose queue is in memory only: there was no room for it. */
const unsaved = new Set<string>();

export function queueOf(chat: string): Store<Queued[]> {
  const known = stores.get(chat);
  if (known) return known;
  const store = createStore(read(readItem(queueKey(chat))));
  stores.set(chat, store);
  return store;
}

export function enqueue(chat: string, draft: Draft): void {
  change(chat, (all) => [...all, { id: newId(), ...draft }]);
}

/** Removes and returns the first question, or the one with this id. */
export function dequeue(chat: string, id?: string): Draft | undefined {
  let found: Queued | undefined;
  change(chat, (all) => {
    found = id === undefined ? all[0] : all.find((entry) => entry.id === id);
    return all.filter((entry) => entry !== found);
  });
  return found && { text: found.text, attachments: found.attachments };
}

export function replaceQueued(chat: string, id: string, draft: Draft): void {
  change(chat, (all) => all.map((entry) => (entry.id === id ? { id, ...draft } : entry)));
}

/** Applies a change by another tab. */
export function onQueueStored(chat: string, raw: string | null): void {
  stores.get(chat)?.set(read(raw));
}

function change(chat: string, next: (all: Queued[]) => Queued[]): void {
  const store = queueOf(chat);
  // Another tab may have changed it.
  const all = next(
    unsaved.has(chat) || isTemporary(chat) ? store.get() : read(readItem(queueKey(chat))),
  );
  store.set(all);
  if (isTemporary(chat)) return;
  if (all.length === 0) removeItem(queueKey(chat));
  else if (writeItem(queueKey(chat), JSON.stringify(all)) !== 'ok') {
    unsaved.add(chat);
    saveFailed.set(true);
    return;
  }
  unsaved.delete(chat);
}

function read(raw: string | null): Queued[] {
  const found = raw === null ? 'bad' : parseJson(raw, Array.isArray);
  return found === 'bad' ? [] : found.filter(isQueued);
}

function isQueued(value: unknown): value is Queued {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.text === 'string' &&
    Array.isArray(value.attachments)
  );
}
