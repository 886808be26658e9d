import { afterAll, describe, expect, it } from 'vitest';
import { joined, money, percent, price, seconds } from '../../src/app/format';
import { type Key, setTexts } from '../../src/i18n/translate';
import { limitText, whenText } from '../../src/limits/text';
import { ENGLISH, TRANSLATIONS } from '../../vite/messages';

function speak(language: string): void {
  const texts = TRANSLATIONS[language];
  const keys = Object.keys(ENGLISH) as Key[];
  const isRtl = language === 'ar';
  setTexts(texts ? keys.map((key) => texts[key]) : [], isRtl ? 'ar-u-nu-latn' : language, isRtl);
}

/** No-break spaces as spaces, and without the marks of direction. */
const plain = (text: string) =>
  text.replace(/[\u00a0\u202f]/g, ' ').replace(/[\u200e\u200f\u2066-\u2069]/g, '');

/** By the first letter outside of isolates, as browsers find it; from left to right without one. */
function direction(text: string): 'ltr' | 'rtl' {
  let depth = 0;
  for (const letter of text) {
    if (/[\u2066-\u2068]/.test(letter)) depth++;
    else if (letter === '\u2069') depth--;
    else if (depth === 0 && /[\u200f\p{Script=Arabic}]/u.test(letter)) return 'rtl';
    else if (depth === 0 && /\p{L}/u.test(letter)) return 'ltr';
  }
  return 'ltr';
}

afterAll(() => speak('en'));

describe('figures', () => {
  it.each([
    ['en', '$0.15', '$12.50', '50 %', '1 min 5 s', 'a, b'],
    ['de', '0,15 $', '12,50 $', '50 %', '1 min 5 s', 'a, b'],
    ['ja', '$0.15', '$12.50', '50%', '1 分 5 秒', 'a、b'],
    ['ar', '0.15 US$', '12.50 US$', '50%', '1 د 5 ث', 'a، b'],
  ])('in %s', (language, listPrice, cost, share, time, names) => {
    speak(language);
    const shown = [price('0.15'), money(12.5), percent(0.5), seconds(65_000), joined(['a', 'b'])];
    expect(shown.map(plain)).toEqual([listPrice, cost, share, time, names]);
  });

  it('carry a rounded second over to the minute', () => {
    speak('en');
    expect(seconds(119_700)).toBe('2 min 0 s');
  });

  it('keep the digits of a list price', () => {
    speak('en');
    expect(['2', '2.50', '0.0375'].map(price)).toEqual(['$2', '$2.50', '$0.0375']);
    expect(price(null)).toBe('?');
  });
});

describe('texts of texts from right to left', () => {
  it('have the direction of the language, though they begin with a name', () => {
    speak('ar');
    const now = new Date(2026, 0, 5, 12).getTime();
    for (const text of [
      limitText('requests', 'hour', 2),
      whenText(now + 5000, now),
      whenText(now + 86_400_000, now),
      seconds(1500),
    ])
      expect(direction(text), text).toBe('rtl');
    // Money is a figure: it has the direction of its sign.
    expect(direction(money(2).slice(1, -1))).toBe('ltr');
  });

  it('have no marks in other languages', () => {
    for (const language of ['en', 'de', 'ja', 'zh']) {
      speak(language);
      for (const text of [limitText('budget', 'month', 10), percent(0.5), seconds(1500)])
        expect(text).not.toMatch(/[\u200e\u200f\u2066-\u2069]/);
    }
  });
});
