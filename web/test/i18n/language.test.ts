import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Language } from '../../src/i18n/language';
import { install } from '../store/browser';

const html = { lang: 'en', dir: '' };
let languages: string[];
let drawn: Language[];
let events: EventTarget;
let changeSettings: typeof import('../../src/store/settings').changeSettings;

beforeEach(async () => {
  install();
  vi.resetModules();
  languages = ['de-CH', 'en'];
  drawn = [];
  events = new EventTarget();
  vi.stubGlobal('document', { documentElement: html });
  vi.stubGlobal('navigator', {
    get languages() {
      return languages;
    },
  });
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
  ({ changeSettings } = await import('../../src/store/settings'));
  const { startLanguage } = await import('../../src/i18n/language');
  startLanguage((language) => drawn.push(language));
});

afterEach(() => vi.unstubAllGlobals());

const draws = (...expected: Language[]) => vi.waitFor(() => expect(drawn).toEqual(expected));

it('follows the browser, until a setting names a language', async () => {
  await draws('de');
  expect(html).toEqual({ lang: 'de', dir: 'ltr' });
  languages = ['fr'];
  events.dispatchEvent(new Event('languagechange'));
  await draws('de', 'fr');
  changeSettings({ language: 'ar' });
  await draws('de', 'fr', 'ar');
  expect(html).toEqual({ lang: 'ar', dir: 'rtl' });
  languages = ['ja'];
  events.dispatchEvent(new Event('languagechange'));
  changeSettings({ language: '' });
  await draws('de', 'fr', 'ar', 'ja');
});

it.each([
  [['de-DE@posix', 'de-AT'], 'de-AT'],
  [['de-DE@posix'], 'de'],
  [['ar-EG-u-nu-arab'], 'ar-EG-u-nu-latn'],
])('takes the locale of a browser with %s to be %s', async (tags, locale) => {
  languages = tags;
  events.dispatchEvent(new Event('languagechange'));
  await vi.waitFor(async () => {
    const { perLanguage } = await import('../../src/i18n');
    expect(perLanguage((of) => of)()).toBe(locale);
  });
});

it('draws the last of several choices, English without waiting', async () => {
  await draws('de');
  changeSettings({ language: 'zh' });
  changeSettings({ language: 'es' });
  await draws('de', 'es');
  changeSettings({ language: 'ja' });
  changeSettings({ language: 'en' });
  expect(drawn).toEqual(['de', 'es', 'en']);
  // One that comes later is not drawn any more.
  await vi.dynamicImportSettled();
  expect(drawn).toEqual(['de', 'es', 'en']);
  expect(html.lang).toBe('en');
});
