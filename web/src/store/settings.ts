import { isObject } from './check';
import { createStore } from './create';
import { quarantine, readDisk, readJson, SETTINGS, writeDisk } from './disk';
import type { Settings } from './types';

const DEFAULTS: Settings = {
  v: 1,
  theme: 'system',
  density: 'normal',
  fontSize: 16,
  sendKey: 'enter',
  singleKeys: true,
  model: '',
  favourites: [],
  presets: [],
  params: {},
  sidebar: true,
  status: false,
};

export const settingsStore = createStore<Settings>(read());

export function changeSettings(patch: Partial<Settings>): void {
  // Another tab may have written since.
  const next = { ...(readDisk(SETTINGS) ? read() : settingsStore.get()), ...patch };
  writeDisk(SETTINGS, JSON.stringify(next));
  settingsStore.set(next);
}

export function onSettingsEvent(): void {
  settingsStore.set(read());
}

function read(): Settings {
  const found = readJson(SETTINGS, isObject);
  if (found === 'bad') quarantine(SETTINGS, 'settings');
  if (!found || found === 'bad') return DEFAULTS;
  // Member by member, so that one of the wrong kind does not cost the others.
  const sound = Object.entries(found).filter(([name, value]) => {
    const wanted = DEFAULTS[name as keyof Settings];
    return typeof value === typeof wanted && Array.isArray(value) === Array.isArray(wanted);
  });
  return { ...DEFAULTS, ...Object.fromEntries(sound) };
}

export function settingsOnDisk(): string {
  return readDisk(SETTINGS) ?? JSON.stringify(DEFAULTS);
}
