import { createStore } from './create-store';
import { quarantine, readItem, readJson, SETTINGS, writeItem } from './storage/local-storage';
import type { Settings } from './types';
import { isObject } from './validate';

const DEFAULTS: Settings = {
  v: 1,
  language: '',
  theme: 'system',
  density: 'normal',
  fontSize: 16,
  sendKey: 'enter',
  singleKeys: true,
  model: '',
  titleModel: '',
  presets: [],
  params: {},
  sidebar: true,
  status: false,
};

export const settingsStore = createStore<Settings>(read());

export function changeSettings(patch: Partial<Settings>): void {
  const next = { ...(readItem(SETTINGS) ? read() : settingsStore.get()), ...patch };
  writeItem(SETTINGS, JSON.stringify(next));
  settingsStore.set(next);
}

export function onSettingsStored(): void {
  settingsStore.set(read());
}

function read(): Settings {
  const found = readJson(SETTINGS, isObject);
  if (found === 'bad') quarantine(SETTINGS, 'settings');
  if (!found || found === 'bad') return DEFAULTS;
  // Per member, so that one of the wrong type does not invalidate the others.
  const sound = Object.entries(found).filter(([name, value]) => {
    const fallback = DEFAULTS[name as keyof Settings];
    return typeof value === typeof fallback && Array.isArray(value) === Array.isArray(fallback);
  });
  return { ...DEFAULTS, ...Object.fromEntries(sound) };
}

export function storedSettings(): string {
  return readItem(SETTINGS) ?? JSON.stringify(DEFAULTS);
}
