import { createStore } from '../store/create-store';

export type Overlay = 'settings' | 'palette' | 'shortcuts' | null;

export const overlayStore = createStore<Overlay>(null);

export type SettingsTab = 'general' | 'models' | 'data' | 'about';

export const settingsTabStore = createStore<SettingsTab>('general');

/** The drawer on narrow screens; the wide sidebar is a setting. */
export const drawerStore = createStore(false);

/** Commands to components elsewhere in the tree. */
export type Command = 'models' | 'edit-last' | 'focus-composer' | 'bottom' | 'key';

const listeners = new Set<(command: Command) => void>();

export function command(name: Command): void {
  for (const listener of [...listeners]) listener(name);
}

export function onCommand(listener: (command: Command) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function openSettings(tab: SettingsTab = 'general'): void {
  settingsTabStore.set(tab);
  overlayStore.set('settings');
}

export const isNarrow = () => matchMedia('(max-width: 1023px)').matches;

/** A touch keyboard has no shortcuts, and Enter is its only way to insert a newline. */
export const isTouch = () => matchMedia('(hover: none) and (pointer: coarse)').matches;

export const isMac = /Mac|iPhone|iPad/.test(
  typeof navigator === 'undefined' ? '' : navigator.userAgent,
);

/** `mod+shift+o` as labelled on the user's keyboard. */
export function keyName(keys: string): string {
  const names: Record<string, string> = isMac
    ? { mod: '⌘', shift: '⇧', alt: '⌥', enter: '↩' }
    : { mod: 'Ctrl', shift: 'Shift', alt: 'Alt', enter: 'Enter' };
  const parts = keys
    .split('+')
    .map((key) => names[key] ?? (key.length === 1 ? key.toUpperCase() : key));
  return parts.join(isMac ? '' : '+');
}
