import { createStore, useStore } from './create-store';
import { type ChatStore, chatStore } from './storage/chats';
import type { Conversation } from './types';

const none: ChatStore = createStore<Conversation | null | undefined>(null);

/** `undefined` while loading, `null` if there is none. */
export function useChat(id: string | null): Conversation | null | undefined {
  return useStore(id ? chatStore(id) : none);
}
