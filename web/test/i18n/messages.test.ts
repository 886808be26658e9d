import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/i18n/translate';
import { ENGLISH, keysIn, numbered, TRANSLATIONS } from '../../vite/messages';
import { sources } from './sources';

const LANGUAGES = Object.entries({ en: ENGLISH as Record<string, Message>, ...TRANSLATIONS });

const formsOf = (message: Message | undefined): string[] =>
  typeof message === 'object' ? Object.values(message) : message === undefined ? [] : [message];

const namesIn = (message: Message | undefined): Set<string> =>
  new Set(
    formsOf(message).flatMap((form) => [...form.matchAll(/\{(\w+)\}/g)].map(([, n]) => n ?? '')),
  );

describe.each(LANGUAGES)('the texts in %s', (language, texts) => {
  it('are those of the keys, no more and no less', () => {
    expect(Object.keys(texts).sort()).toEqual(Object.keys(ENGLISH).sort());
  });

  it('are no English ones that were forgotten', () => {
    if (language === 'en') return;
    // Names, units, and words that a language took from English.
    const same = Object.keys(ENGLISH).filter(
      (key) => JSON.stringify(texts[key]) === JSON.stringify(ENGLISH[key as keyof typeof ENGLISH]),
    );
    const sentences = same.filter((key) =>
      formsOf(texts[key]).some((form) => form.split(' ').length > 3),
    );
    expect(sentences.filter((key) => !/^\S*\{/.test(formsOf(texts[key])[0] ?? ''))).toEqual([]);
    expect(same.length).toBeLessThan(60);
  });

  it('have the values of the English ones', () => {
    for (const [key, message] of Object.entries(ENGLISH)) {
      const wanted = namesIn(message);
      for (const form of formsOf(texts[key])) {
        const found = namesIn(form);
        // A form may say the number in words, or not at all.
        const [needed, has] = [wanted, found].map((names) =>
          [...names].filter((n) => n !== 'n').sort(),
        );
        expect(has, `${key}: ${form}`).toEqual(needed);
        expect(wanted.has('n') || !found.has('n') || typeof message === 'object', key).toBe(true);
        expect(form.trim(), key).not.toBe('');
      }
    }
  });

  it('have a form for each number', () => {
    const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
    // In French and Spanish, `many` is for round millions.
    const wanted = pluralCategories.filter((category) => category !== 'many' || language === 'ar');
    for (const [key, message] of Object.entries(texts)) {
      if (typeof message === 'object') {
        expect(Object.keys(message).sort(), key).toEqual([...wanted].sort());
        // Where the number is left out, the form must be for one number only.
        const silent = Object.entries(message).filter(([, form]) => !form.includes('{n}'));
        if (namesIn(ENGLISH[key as keyof typeof ENGLISH]).has('n'))
          for (const [category] of silent) expect(['zero', 'one', 'two'], key).toContain(category);
      }
    }
  });
});

describe('the keys', () => {
  const used = [...sources()].flatMap(([file, code]) => keysIn(code, file));

  it('are literals, so that they can be numbered', () => {
    expect(used.filter(({ key }) => key === '')).toEqual([]);
    expect(() => numbered("import { t } from './i18n'; t(key)", 'a.ts')).toThrow('varies');
    expect(() => numbered("import { t } from './i18n'; t('no.such')", 'a.ts')).toThrow('no.such');
  });

  it('are all used', () => {
    const names = new Set(used.map(({ key }) => key));
    expect(Object.keys(ENGLISH).filter((key) => !names.has(key))).toEqual([]);
  });
});
