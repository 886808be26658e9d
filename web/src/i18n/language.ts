import { loadModule } from '../load-module';
import { createStore } from '../store/create-store';
import { settingsStore } from '../store/settings';
import { type Message, setTexts } from './translate';

/** The languages of the page, by their own names. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  ar: 'العربية',
  ja: '日本語',
  zh: '简体中文',
};

export type Language = keyof typeof LANGUAGES;

/** The language that is drawn; null until its texts are loaded. */
export const languageStore = createStore<Language | null>(null);

/** English is part of the code. The query is for `vite/messages.ts`: only the texts, by number. */
const LOADERS = import.meta.glob<{ default: readonly Message[] }>(
  ['./messages/*.ts', '!./messages/en.ts'],
  { query: '?numbered' },
);

const browserTags = () => (typeof navigator === 'undefined' ? [] : (navigator.languages ?? []));

const languageOf = (tag: string) => tag.toLowerCase().split('-')[0] ?? '';

export const isKnown = (name: string): name is Language => Object.hasOwn(LANGUAGES, name);

/** The first of the browser's languages that the page has. */
export function browserLanguage(): Language {
  return browserTags().map(languageOf).find(isKnown) ?? 'en';
}

/** The language of a setting, which is empty for that of the browser. */
const chosenBy = (setting: string) => (isKnown(setting) ? setting : browserLanguage());

/** For numbers and dates. Not every tag of a browser is a valid one, such as `en-US@posix`. */
function localeOf(language: Language): string {
  const own = browserTags().filter((tag) => languageOf(tag) === language);
  for (const tag of [...own, language]) {
    try {
      // Figures stand beside names and code in Latin script, with its digits.
      return new Intl.Locale(tag, language === 'ar' ? { numberingSystem: 'latn' } : {}).toString();
    } catch {}
  }
  return language;
}

/** None for English, which is part of the code. */
const textsOf = (language: Language) => {
  const load = LOADERS[`./messages/${language}.ts`];
  return load && loadModule(load);
};

/** Loads the texts of a setting, and fails where they cannot be loaded. */
export async function prepareLanguage(setting: string): Promise<Language> {
  const language = chosenBy(setting);
  await textsOf(language);
  return language;
}

/** Keeps the page in the chosen language; `draw` is called for each one, with its texts loaded. */
export function startLanguage(draw: (language: Language) => void): void {
  let wanted: Language | undefined;
  const show = (language: Language, texts: readonly Message[]) => {
    if (language !== wanted) return;
    const isRtl = language === 'ar';
    setTexts(texts, localeOf(language), isRtl);
    document.documentElement.lang = documentTag(language);
    document.documentElement.dir = isRtl ? 'rtl' : 'ltr';
    languageStore.set(language);
    draw(language);
  };
  const choose = () => {
    const language = chosenBy(settingsStore.get().language);
    if (language === wanted) return;
    wanted = language;
    const loading = textsOf(language);
    // Without waiting, even for a microtask.
    if (!loading) show(language, []);
    else
      loading.then(
        ({ default: texts }) => show(language, texts),
        () => {
          if (language !== wanted) return;
          // A page in English is better than none; a drawn one stays as it is.
          wanted = languageStore.get() ?? 'en';
          if (languageStore.get() === null) show(wanted, []);
        },
      );
  };
  choose();
  settingsStore.subscribe(choose);
  addEventListener('languagechange', choose);
}

/** Chinese is written in two scripts. */
export function documentTag(language: string): string {
  return language === 'zh' ? 'zh-Hans' : language;
}
