import { listStore } from './storage/chat-list';
import { readChat } from './storage/chats';

export interface Hit {
  id: string;
  title: string;
  /** The text around the match; empty for a match in the title. */
  excerpt: string;
}

const MAX_HITS = 50;

/** Searches titles and texts. Yields to the event loop between conversations. */
export async function searchChats(query: string, signal?: AbortSignal): Promise<Hit[]> {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const hits: Hit[] = [];
  let since = performance.now();
  for (const entry of listStore.get()) {
    if (signal?.aborted || hits.length >= MAX_HITS) break;
    if (entry.deleted) continue;
    const title = entry.title.toLowerCase();
    if (words.every((word) => title.includes(word))) {
      hits.push({ id: entry.id, title: entry.title, excerpt: '' });
      continue;
    }
    const chat = await readChat(entry.id);
    const texts = Object.values(chat?.messages ?? {}).map((message) => message.text);
    const found = texts.find((text) => containsAll(text, words));
    if (found)
      hits.push({
        id: entry.id,
        title: entry.title,
        excerpt: excerptAround(found, words[0] ?? ''),
      });
    if (performance.now() - since > 12) {
      await new Promise((resolve) => setTimeout(resolve));
      since = performance.now();
    }
  }
  return hits;
}

function containsAll(text: string, words: string[]): boolean {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

function excerptAround(text: string, word: string): string {
  const at = text.toLowerCase().indexOf(word);
  const early = Math.max(0, at - 30);
  // With a whole word, where there is one.
  const space = early > 0 ? text.slice(early, at).search(/\s/) : -1;
  const from = space < 0 ? early : early + space + 1;
  const cut = text
    .slice(from, at + 90)
    .replace(/\s+/g, ' ')
    .trim();
  return `${from > 0 ? '…' : ''}${cut}${at + 90 < text.length ? '…' : ''}`;
}
