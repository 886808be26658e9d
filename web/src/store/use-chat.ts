import { type ChatStore, chatStore } from './chats';
import { createStore, useStore } from './create';
import type { Conversation } from './types';

const none: ChatStore = createStore<Conversation | null | undefined>(null);

/** `undefined` while it is being read, `null` where there is none. */
export function useChat(id: string | null): Conversation | null | undefined {
  return useStore(id ? chatStore(id) : none);
}
