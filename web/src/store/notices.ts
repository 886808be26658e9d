import { createStore } from './create-store';
import { newId } from './id';

/** A short message at the edge of the page, with an optional action such as undo. */
export interface Notice {
  id: string;
  text: string;
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 8000;

export const noticeStore = createStore<Notice[]>([]);

/** The last complete answer, read out once. */
export const finishedAnswerStore = createStore('');

/** Announcements for screen readers; see `Announcer`. */
export const announcementStore = createStore('');

export function notify(text: string, action?: Notice['action'], shownMs = SHOWN_MS): void {
  const notice: Notice = { id: newId(), text, ...(action && { action }) };
  noticeStore.update((all) => [...all.slice(-2), notice]);
  setTimeout(() => dismiss(notice.id), shownMs);
}

export function dismiss(id: string): void {
  noticeStore.update((all) => all.filter((notice) => notice.id !== id));
}

export function announce(text: string): void {
  // A repeated text would not be read again.
  announcementStore.set(announcementStore.get() === text ? `${text}\u00a0` : text);
}
