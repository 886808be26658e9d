import { findArchived } from './archive';
import { onChatEvent, purge, saveChat } from './chats';
import { chatKey, INDEX, SETTINGS } from './disk';
import { expired, loadList, reloadList } from './list';
import { isLive, liveChats } from './live';
import { keepRecent } from './room';
import { onSettingsEvent } from './settings';

/** When nobody waits any more for the page to open. */
const TIDY_AFTER_MS = 2000;

/** Starts the store: reads the list, follows the other tabs, saves before the page goes. */
export function startStore(): void {
  loadList();
  // Without IndexedDB all stays where it is.
  setTimeout(() => void tidy().catch(() => {}), TIDY_AFTER_MS);
  addEventListener('storage', onStorage);
  addEventListener('pagehide', saveLive);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') saveLive();
  });
}

async function tidy(): Promise<void> {
  await purge(expired().map((each) => each.id));
  await findArchived();
  await keepRecent();
}

function onStorage(event: StorageEvent): void {
  const { key, newValue } = event;
  const start = chatKey('');
  if (key === null || key === INDEX) reloadList();
  else if (key === SETTINGS) onSettingsEvent();
  else if (key.startsWith(start)) {
    const id = key.slice(start.length);
    onChatEvent(id, newValue, isLive(id));
  }
}

/** A phone may never come back to a page that it put away. */
function saveLive(): void {
  for (const { chat, commit } of liveChats()) {
    commit();
    saveChat(chat);
  }
}
