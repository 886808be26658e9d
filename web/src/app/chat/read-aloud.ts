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
    speech.onend = next;
    speech.onerror = () => readStore.get() === message && readStore.set(null);
    speechSynthesis.speak(speech);
  };
  next();
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
