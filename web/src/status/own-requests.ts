import { goTo } from '../app/route';
import { choose } from '../store/actions';
import { chatStore, openIds, readChat } from '../store/chats';
import { listStore } from '../store/list';
import type { Conversation } from '../store/types';

interface Place {
  chat: string;
  message: string;
}

/** Where the answers of this browser are, by the id of their request. */
const places = new Map<string, Place>();

function note(chat: Conversation | null | undefined): void {
  for (const message of Object.values(chat?.messages ?? {})) {
    if (message.requestId)
      places.set(message.requestId, { chat: chat?.id ?? '', message: message.id });
  }
}

/** Looks through all conversations that are kept, a few at a time. */
export async function indexAll(): Promise<void> {
  for (const entry of listStore.get()) {
    if (entry.deleted) continue;
    note(await readChat(entry.id).catch(() => null));
  }
}

/** The message that a request of the gateway's list belongs to, if it was ours. */
export function placeOf(requestId: string): Place | undefined {
  if (!places.has(requestId)) for (const id of openIds()) note(chatStore(id).get());
  return places.get(requestId);
}

/** Shows the message, on whatever branch it is. */
export function jumpTo(place: Place): void {
  const chat = chatStore(place.chat).get();
  const message = chat?.messages[place.message];
  if (message) choose(place.chat, message);
  goTo(place.chat);
  // The conversation is drawn in the next frames, and may have to be read first.
  let tries = 20;
  const look = () => {
    const element = document.querySelector<HTMLElement>(
      `[data-message="${CSS.escape(place.message)}"]`,
    );
    if (element) {
      element.scrollIntoView({ block: 'center' });
      element.focus({ preventScroll: true });
    } else if (--tries > 0) setTimeout(look, 50);
  };
  setTimeout(look, 30);
}
