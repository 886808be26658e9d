import { onChatEvent, purge, saveChat } from './chats';
import { chatKey, INDEX, SETTINGS } from './disk';
import { expired, loadList, reloadList } from './list';
import { isLive, liveChats } from './live';
import { onSettingsEvent } from './settings';

/** Starts the store: reads the list, follows the other tabs, saves before the page goes. */
export function startStore(): void {
  loadList();
  void purge(expired().map((each) => each.id));
  addEventListener('storage', onStorage);
  addEventListener('pagehide', saveLive);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') saveLive();
  });
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
