import { t } from '../i18n';
import { loadModule } from '../load-module';
import { setTitle, togglePin } from '../store/actions';
import { createStore } from '../store/create-store';
import { readChat, removeChats } from '../store/storage/chats';
import type { IndexEntry } from '../store/types';
import { goTo, routeStore } from './route';
import { saveFile } from './ui/copy';
import type { MenuItem } from './ui/Menu';

/** The conversation being renamed in the list. */
export const renaming = createStore<string | null>(null);

/** Menu of a conversation, for the list and the header. */
export function chatMenu(entry: IndexEntry | undefined): MenuItem[] {
  if (!entry) return [];
  const { id } = entry;
  return [
    {
      label: entry.pinned ? t('list.unpin') : t('list.pin'),
      icon: 'pin',
      run: () => togglePin(id),
    },
    { label: t('list.exportMarkdown'), icon: 'download', run: () => void exportOne(id, 'md') },
    { label: t('list.exportJson'), icon: 'download', run: () => void exportOne(id, 'json') },
    { label: t('list.deleteChat'), icon: 'trash', danger: true, run: () => remove(id) },
  ];
}

export function remove(id: string): void {
  removeChats([id]);
  if (routeStore.get() === id) goTo(null);
}

export function rename(id: string, title: string): void {
  renaming.set(null);
  setTitle(id, title);
}

async function exportOne(id: string, kind: 'md' | 'json'): Promise<void> {
  const chat = await readChat(id);
  if (!chat) return;
  const { asJson, asMarkdown, fileName } = await loadModule(() => import('../store/import-export'));
  const name = fileName(chat.title);
  if (kind === 'md') saveFile(`${name}.md`, 'text/markdown', asMarkdown(chat));
  else saveFile(`${name}.json`, 'application/json', await asJson([chat]));
}
