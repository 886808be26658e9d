import { beforeEach, describe, expect, it, vi } from 'vitest';
import { sources } from '../i18n/sources';
import { type FakeStorage, install } from './browser';

const KEY = 'trunkline:settings';

let local: FakeStorage;
let settings: typeof import('../../src/store/settings');

beforeEach(async () => {
  ({ local } = install());
  vi.resetModules();
  settings = await import('../../src/store/settings');
});

describe('the settings', () => {
  it('have no member that nothing uses', () => {
    // What stores them, whatever they are.
    const own = ['store/settings.ts', 'store/types.ts'];
    const code = [...sources()].flatMap(([file, text]) => (own.includes(file) ? [] : text));
    const names = Object.keys(settings.settingsStore.get()).filter((name) => name !== 'v');
    expect(names.length).toBeGreaterThan(5);
    const unused = names.filter(
      (name) => !code.some((text) => new RegExp(`\\b${name}\\b`).test(text)),
    );
    expect(unused).toEqual([]);
  });

  it('forget members of earlier versions, and those of a wrong type', () => {
    local.setItem(KEY, JSON.stringify({ v: 1, theme: 'dark', favourites: ['a'], fontSize: '20' }));
    settings.onSettingsStored();
    expect(settings.settingsStore.get()).toMatchObject({ theme: 'dark', fontSize: 16 });
    settings.changeSettings({ density: 'compact' });
    const stored = JSON.parse(local.getItem(KEY) ?? '{}');
    expect(stored).toMatchObject({ theme: 'dark', density: 'compact' });
    expect(stored).not.toHaveProperty('favourites');
  });
});
