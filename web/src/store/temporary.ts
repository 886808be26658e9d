import { createStore } from './create-store';

/** Conversations that are in the memory of this tab only, by a prefix of their ids. */
const PREFIX = 'tmp-';

export const temporaryId = (id: string) => `${PREFIX}${id}`;

export const isTemporary = (id: string) => id.startsWith(PREFIX);

/** Whether the next new conversation is a temporary one. */
export const nextIsTemporary = createStore(false);

/** Whether what is written there is to be kept nowhere. */
export function isKeptNowhere(chatId: string | null): boolean {
  return chatId === null ? nextIsTemporary.get() : isTemporary(chatId);
}
