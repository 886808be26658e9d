import { createStore } from './create';
import { newId } from './id';

/** A short message at the edge of the page, perhaps with a way back. */
export interface Notice {
  id: string;
  text: string;
  action?: { label: string; run: () => void };
}

const LASTS_MS = 8000;

export const noticeStore = createStore<Notice[]>([]);

/** The newest complete answer, to be read out once. */
export const answeredStore = createStore('');

/** What a screen reader is told; see `Announcer`. */
export const spokenStore = createStore('');

export function notify(text: string, action?: Notice['action'], lasts = LASTS_MS): void {
  const notice: Notice = { id: newId(), text, ...(action && { action }) };
  noticeStore.update((all) => [...all.slice(-2), notice]);
  setTimeout(() => dismiss(notice.id), lasts);
}

export function dismiss(id: string): void {
  noticeStore.update((all) => all.filter((each) => each.id !== id));
}

export function say(text: string): void {
  // The same words twice would not be read twice.
  spokenStore.set(spokenStore.get() === text ? `${text}\u00a0` : text);
}
