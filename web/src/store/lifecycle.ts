import { stopOrphans } from './actions';
import { leavePage } from './answer';
import { isLive, liveChats } from './live';
import { onQueueStored } from './queue';
import { onSettingsStored } from './settings';
import { archiveOld } from './storage/archive-policy';
import { recoverArchived } from './storage/archive-recovery';
import { expired, loadList, rereadList } from './storage/chat-list';
import { onChatStored, purge, saveChat } from './storage/chats';
import { chatKey, INDEX, queueKey, SETTINGS } from './storage/local-storage';
import { removeOrphans } from './storage/orphans';

/** After the page has opened. */
const MAINTENANCE_DELAY_MS = 2000;

/** Loads the list, syncs with other tabs and saves streaming answers when the page is hidden. */
export function startStore(): void {
  loadList();
  // Without IndexedDB all conversations stay in localStorage.
  setTimeout(() => void runMaintenance().catch(() => {}), MAINTENANCE_DELAY_MS);
  addEventListener('storage', onStorage);
  addEventListener('pagehide', leavePage);
  // Frozen tabs are discarded without a further event, and others must not wait for them.
  document.addEventListener('freeze', () => saveLive(true));
  document.addEventListener('resume', () => saveLive());
  document.addEventListener('visibilitychange', () => saveLive());
}

async function runMaintenance(): Promise<void> {
  await purge(expired().map((entry) => entry.id));
  await recoverArchived();
  await archiveOld();
  await removeOrphans();
}

function onStorage(event: StorageEvent): void {
  const { key, newValue } = event;
  const start = chatKey('');
  const queue = queueKey('');
  if (key === null || key === INDEX) rereadList();
  else if (key === SETTINGS) onSettingsStored();
  else if (key.startsWith(start)) {
    const id = key.slice(start.length);
    onChatStored(id, newValue, isLive(id));
  } else if (key.startsWith(queue)) onQueueStored(key.slice(queue.length), newValue);
  stopOrphans();
}

/** A phone may discard a hidden page; and other tabs learn how long its heartbeat may take. */
function saveLive(frozen = false): void {
  for (const { chat, commit } of liveChats()) {
    commit(frozen);
    saveChat(chat);
  }
}
