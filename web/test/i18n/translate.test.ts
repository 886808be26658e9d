import { afterEach, expect, it, vi } from 'vitest';
import { browserLanguage } from '../../src/i18n/language';
import { type Key, perLanguage, setTexts, t, wholeNumber } from '../../src/i18n/translate';
import { ENGLISH, TRANSLATIONS } from '../../vite/messages';

const KEYS = Object.keys(ENGLISH) as Key[];

function use(locale: string): void {
  const language = locale.split('-')[0] ?? '';
  const texts = TRANSLATIONS[language];
  setTexts(texts ? KEYS.map((key) => texts[key]) : [], locale, language === 'ar');
}

/** As `vite/messages.ts` writes the call. */
function text(key: Key, values?: Record<string, string | number>): string {
  const numbered = t as (key: unknown, english: unknown, values: unknown) => string;
  return numbered(KEYS.indexOf(key), ENGLISH[key], values);
}

afterEach(() => {
  use('en');
  vi.unstubAllGlobals();
});

it('takes the form that the number has in the language', () => {
  const copied = (n: number) => text('models.copyMissing', { n });
  expect([copied(1), copied(2)]).toEqual(['Copy the missing variable', 'Copy 2 missing variables']);
  use('fr');
  expect(text('meta.soFarSpoken', { n: 0 })).toBe('0 token jusqu’ici');
  expect(text('meta.soFarSpoken', { n: 2 })).toBe('2 tokens jusqu’ici');
  // Round millions are `many`, which has no form of its own.
  expect(text('meta.soFarSpoken', { n: 1_000_000 })).toContain('tokens');
});

it('writes numbers as the locale does', () => {
  const shown = (locale: string) => {
    use(locale);
    return text('status.notSetUp', { n: 12_345 });
  };
  expect(shown('en-GB')).toBe('12,345 not set up');
  expect(shown('de')).toBe('12.345 nicht eingerichtet');
  expect(shown('es')).toBe('12.345 sin configurar');
  expect(shown('es-MX')).toBe('12,345 sin configurar');
});

it('keeps a value from reordering a text from right to left', () => {
  use('ar');
  expect(text('chat.messageTo', { model: 'gpt-4o' })).toContain('\u2068gpt-4o\u2069');
});

it('makes a value anew for another language only', () => {
  const make = vi.fn((locale: string) => locale);
  const value = perLanguage(make);
  use('de');
  expect([value(), value(), wholeNumber().format(1000)]).toEqual(['de', 'de', '1.000']);
  use('en');
  expect([value(), wholeNumber().format(1000)]).toEqual(['en', '1,000']);
  expect(make).toHaveBeenCalledTimes(2);
});

it.each([
  [['pt-BR', 'fr-CA', 'de'], 'fr'],
  [['ZH-Hant-TW'], 'zh'],
  [['tlh', 'constructor'], 'en'],
  [[], 'en'],
])('chooses from the languages %s of a browser %s', (languages, expected) => {
  vi.stubGlobal('navigator', { languages });
  expect(browserLanguage()).toBe(expected);
});
