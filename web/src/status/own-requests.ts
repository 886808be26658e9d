import { goTo } from '../app/route';
import { choose } from '../store/actions';
import { listStore } from '../store/storage/chat-list';
import { chatStore, openIds, readChat } from '../store/storage/chats';
import type { Conversation } from '../store/types';

interface MessageLocation {
  chat: string;
  message: string;
}

/** Messages of this browser by the id of their request. */
const locations = new Map<string, MessageLocation>();

function record(chat: Conversation | null | undefined): void {
  for (const message of Object.values(chat?.messages ?? {})) {
    if (message.requestId)
      locations.set(message.requestId, { chat: chat?.id ?? '', message: message.id });
  }
}

/** Indexes all stored conversations, one at a time. */
export async function indexMessages(): Promise<void> {
  for (const entry of listStore.get()) {
    if (entry.deleted) continue;
    record(await readChat(entry.id).catch(() => null));
  }
}

/** The message of a request, if this browser sent it. */
export function locationOf(requestId: string): MessageLocation | undefined {
  if (!locations.has(requestId)) for (const id of openIds()) record(chatStore(id).get());
  return locations.get(requestId);
}

/** Shows the message, and its branch. */
export function jumpTo(location: MessageLocation): void {
  const chat = chatStore(location.chat).get();
  const message = chat?.messages[location.message];
  if (message) choose(location.chat, message);
  goTo(location.chat);
  // The conversation is drawn in later frames, and may have to be loaded first.
  let tries = 20;
  const scrollWhenDrawn = () => {
    const element = document.querySelector<HTMLElement>(
      `[data-message="${CSS.escape(location.message)}"]`,
    );
    if (element) {
      element.scrollIntoView({ block: 'center' });
      element.focus({ preventScroll: true });
    } else if (--tries > 0) setTimeout(scrollWhenDrawn, 50);
  };
  setTimeout(scrollWhenDrawn, 30);
}
