import { t } from '../i18n';
import { liveChats, stopChat } from '../store/live';
import { changeSettings, settingsStore } from '../store/settings';
import { listStore } from '../store/storage/chat-list';
import { chatStore } from '../store/storage/chats';
import { laneRoot, pathOf } from '../store/tree';
import { goTo, routeStore } from './route';
import { copyText } from './ui/copy';
import { command, drawerStore, isNarrow, overlayStore } from './view';

export interface Shortcut {
  keys: string;
  label: () => string;
  run: () => void;
}

/** Also shown by the palette and the overview. */
export const shortcuts: Shortcut[] = [
  { keys: 'mod+shift+o', label: () => t('app.newChat'), run: () => newChat() },
  { keys: 'mod+k', label: () => t('app.palette'), run: () => toggle('palette') },
  { keys: 'mod+b', label: () => t('keys.sidebar'), run: () => toggleSidebar() },
  { keys: 'mod+j', label: () => t('keys.status'), run: () => toggleStatus() },
  { keys: 'mod+/', label: () => t('models.choose'), run: () => command('models') },
  { keys: 'mod+shift+c', label: () => t('keys.copyAnswer'), run: () => copyLast(false) },
  { keys: 'mod+shift+;', label: () => t('keys.copyCode'), run: () => copyLast(true) },
  { keys: 'mod+shift+e', label: () => t('keys.editLast'), run: () => command('edit-last') },
  { keys: 'alt+arrowup', label: () => t('keys.previous'), run: () => step(-1) },
  { keys: 'alt+arrowdown', label: () => t('keys.next'), run: () => step(1) },
];

export function startHotkeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented) return;
    const found = shortcuts.find((shortcut) => matches(shortcut.keys, event));
    if (found) {
      event.preventDefault();
      found.run();
      return;
    }
    if (event.key === 'Escape') {
      if (!takesEscape(event.target)) stopHere();
      return;
    }
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (settingsStore.get().singleKeys && !overlayStore.get()) single(event);
  });
}

function single(event: KeyboardEvent): void {
  if (event.key === '?') overlayStore.set('shortcuts');
  else if (event.key === '/') command('focus-composer');
  else return;
  event.preventDefault();
}

function matches(keys: string, event: KeyboardEvent): boolean {
  const parts = keys.split('+');
  const key = parts.at(-1);
  const has = (name: string) => parts.includes(name);
  if ((event.ctrlKey || event.metaKey) !== has('mod')) return false;
  if (event.altKey !== has('alt') || event.shiftKey !== has('shift')) return false;
  const code = { ';': 'Semicolon', '/': 'Slash' }[key ?? ''];
  return event.key.toLowerCase() === key || (code !== undefined && event.code === code);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')
  );
}

/** Fields in which it ends an edit, a new name or a search, and not the answer. */
function takesEscape(target: EventTarget | null): boolean {
  const fields = 'input:not([type=checkbox]), textarea:not(#composer), select';
  return target instanceof HTMLElement && target.matches(fields);
}

function stopHere(): void {
  const id = routeStore.get();
  // What lies over the page takes it first.
  const covered = drawerStore.get() || document.querySelector('dialog[open], :popover-open');
  if (id && !covered) stopChat(id);
}

export function newChat(): void {
  goTo(null);
  drawerStore.set(false);
  command('focus-composer');
}

function toggle(name: 'palette'): void {
  overlayStore.update((now) => (now === name ? null : name));
}

export function toggleSidebar(): void {
  if (isNarrow()) drawerStore.update((open) => !open);
  else changeSettings({ sidebar: !settingsStore.get().sidebar });
}

export function toggleStatus(): void {
  changeSettings({ status: !settingsStore.get().status });
}

function step(by: number): void {
  const ids = listStore
    .get()
    .filter((entry) => !entry.deleted)
    .map((entry) => entry.id);
  const at = ids.indexOf(routeStore.get() ?? '');
  const next = ids[Math.max(0, Math.min(ids.length - 1, at + by))];
  if (next) goTo(next);
}

function copyLast(code: boolean): void {
  const id = routeStore.get();
  const chat = id ? chatStore(id).get() : null;
  if (!chat) return;
  const path = pathOf(chat, chat.lanes?.[0] ? laneRoot(chat.lanes[0].id) : '');
  const live = liveChats()
    .find((run) => run.chat === id)
    ?.message.get();
  const text = live?.text ?? path.findLast((message) => message.role === 'assistant')?.text ?? '';
  const blocks = [...text.matchAll(/^(`{3,}|~{3,})[^\n]*\n([\s\S]*?)^\1/gm)];
  const wanted = code ? blocks.at(-1)?.[2] : text;
  if (wanted) void copyText(wanted, code ? t('keys.codeCopied') : t('keys.answerCopied'));
}
