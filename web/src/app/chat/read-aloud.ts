import { readStore } from './reading';

/** Reads an answer out by the browser's own voices. Chromium stops in long texts: one by one. */
export function readAloud(message: string, text: string): void {
  speechSynthesis.cancel();
  const parts = speakable(text);
  readStore.set(message);
  const next = () => {
    const part = parts.shift();
    if (readStore.get() !== message) return;
    if (part === undefined) {
      readStore.set(null);
      return;
    }
    const speech = new SpeechSynthesisUtterance(part);
    speech.lang = spokenLanguage(part, document.documentElement.lang);
    speech.onend = next;
    speech.onerror = () => readStore.get() === message && readStore.set(null);
    speechSynthesis.speak(speech);
  };
  next();
}

const SCRIPTS: [RegExp, string][] = [
  [/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/gu, 'zh'],
  [/\p{Script=Hangul}/gu, 'ko'],
  [/\p{Script=Arabic}/gu, 'ar'],
  [/\p{Script=Hebrew}/gu, 'he'],
  [/\p{Script=Cyrillic}/gu, 'ru'],
];
/** In scripts without spaces, a letter says as much as several of others. */
const LEAST_SHARE = 0.3;

/** A voice speaks one language, which else is that of the page: the answer may be in another. */
export function spokenLanguage(text: string, page: string): string {
  const share = (letters: RegExp) =>
    (text.match(letters)?.length ?? 0) / (text.match(/\p{L}/gu)?.length || 1);
  const found = SCRIPTS.find(([letters]) => share(letters) >= LEAST_SHARE)?.[1];
  if (found === 'zh' && /[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return 'ja';
  if (found === 'zh' && page === 'ja') return page;
  if (found) return page.startsWith(found) ? page : found;
  return /^(?:ar|ja|zh)/.test(page) ? 'en' : page;
}

/** The text without code and marks, by paragraphs. */
export function speakable(text: string): string[] {
  return text
    .replace(/^(`{3,}|~{3,})[\s\S]*?(?:^\1[^\n]*$|$(?![\s\S]))/gm, '\n\n')
    .replace(/!?\[([^\]\n]*)\]\([^)\s]*\)/g, '$1')
    .replace(/^[ \t]*(?:#{1,6}|>|[-*+])[ \t]+/gm, '')
    .replace(/^\|?[ \t]*:?-{2,}[-:| \t]*\n/gm, '')
    .replace(/\*\*|`|\|/g, ' ')
    .split(/\n\s*\n/)
    .map((part) => part.replace(/\s+/g, ' ').trim())
    .filter((part) => /[\p{L}\p{N}]/u.test(part));
}
