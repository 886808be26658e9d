import { refreshGateway } from '../api/gateway';
import { resumeAnswer, startAnswer } from './answer';
import { createStore } from './create-store';
import { newId } from './id';
import { isLive } from './live';
import { modelFor } from './model-choice';
import { settingsStore } from './settings';
import { listStore } from './storage/chat-list';
import { addChat, changeChat, chatStore } from './storage/chats';
import {
  laneRoot,
  newConversation,
  nextTimestamp,
  patchMessage,
  pathOf,
  titleFrom,
  withMessage,
  withoutMessage,
} from './tree';
import type { Attachment, Conversation, Message } from './types';

/** User actions in a conversation. */

export interface Draft {
  text: string;
  attachments: Attachment[];
}

/** Messages sent while an answer was streaming, by conversation. */
export const queueStore = createStore<Record<string, Draft>>({});

/** Sends a message, in a new conversation if `chatId` is null. Returns the conversation's id. */
export function send(chatId: string | null, draft: Draft): string {
  const existing = chatId ? chatStore(chatId).get() : null;
  if (chatId && existing && isLive(chatId)) {
    queueStore.update((all) => ({ ...all, [chatId]: draft }));
    return chatId;
  }
  const chat = existing ?? newConversation(modelFor(null), settingsStore.get().params);
  if (!existing) {
    addChat(chat);
    requestPersistence();
  }
  const roots = chat.lanes?.map((lane) => laneRoot(lane.id)) ?? [''];
  const runs = roots.map((root, i) => {
    const now = chatStore(chat.id).get() ?? chat;
    const parent = pathOf(now, root).at(-1)?.id ?? root;
    const message = userMessage(now, parent, draft);
    changeChat(chat.id, (current) => withTitle(withMessage(current, message), draft));
    return startAnswer(chat.id, message.id, chat.lanes?.[i]?.model ?? modelFor(chat));
  });
  void Promise.all(runs).then(() => afterAnswer(chat.id));
  return chat.id;
}

/** From the first conversation on there is data that the browser should not evict. */
function requestPersistence(): void {
  if (listStore.get().length === 1)
    globalThis.navigator?.storage?.persist?.().catch(() => undefined);
}

/** Adds another answer to the same message. */
export function regenerate(chatId: string, message: Message, model?: string): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  const next = model ?? message.model ?? modelFor(chat);
  // A failed answer without text is not worth keeping as a version.
  if (message.state === 'failed' && !message.text) deleteMessage(chatId, message.id);
  void startAnswer(chatId, message.parent, next).then(() => afterAnswer(chatId));
}

/** Adds the edited message as a new branch; the old one is kept. */
export function edit(chatId: string, message: Message, draft: Draft): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  const next = userMessage(chat, message.parent, draft);
  changeChat(chatId, (now) => withTitle(withMessage(now, next), draft));
  void startAnswer(chatId, next.id, modelFor(chat)).then(() => afterAnswer(chatId));
}

export function continueAnswer(chatId: string, message: Message): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  void resumeAnswer(chatId, message, message.model ?? modelFor(chat)).then(() =>
    afterAnswer(chatId),
  );
}

export function choose(chatId: string, message: Message): void {
  changeChat(chatId, (chat) => ({
    ...chat,
    chosen: { ...chat.chosen, [message.parent]: message.id },
  }));
}

export function deleteMessage(chatId: string, id: string): void {
  changeChat(chatId, (chat) => withoutMessage(chat, id));
}

export function setModel(chatId: string, model: string): void {
  changeChat(chatId, (chat) => ({ ...chat, model }));
}

export function setTitle(chatId: string, title: string): void {
  changeChat(chatId, (chat) => ({ ...chat, title: title.trim() || chat.title, named: true }));
}

export function togglePin(chatId: string): void {
  changeChat(chatId, (chat) => ({ ...chat, pinned: !chat.pinned }));
}

/** Ends a streaming answer whose tab was closed. */
export function markInterrupted(chatId: string, message: Message): void {
  const text = 'The page was closed before the answer was complete.';
  changeChat(chatId, (chat) =>
    patchMessage(chat, message.id, { state: 'cut', fault: { kind: 'cut', message: text } }),
  );
}

/** Copies a lane of a comparison into a new conversation. Returns its id. */
export function keepLane(chat: Conversation, lane: string): string {
  const path = pathOf(chat, laneRoot(lane));
  const model = chat.lanes?.find((entry) => entry.id === lane)?.model ?? chat.model;
  const fresh = { ...newConversation(model, chat.params), title: chat.title, named: chat.named };
  const first = path[0];
  fresh.messages = Object.fromEntries(
    path.map((message) => [message.id, message === first ? { ...message, parent: '' } : message]),
  );
  addChat(fresh);
  return fresh.id;
}

/** Prefix of a comparison's id: an empty comparison is not stored, but its URL may be. */
export const COMPARISON = 'vs-';

/** Opens a conversation with lanes. It is stored once a message is sent. */
export function startComparison(models: string[]): string {
  const fresh = newConversation(models[0] ?? '', settingsStore.get().params);
  const chat = { ...fresh, id: `${COMPARISON}${fresh.id}` };
  addChat({
    ...chat,
    title: 'New comparison',
    lanes: models.map((model) => ({ id: newId(), model })),
  });
  return chat.id;
}

function afterAnswer(chatId: string): void {
  if (isLive(chatId)) return;
  // The request changed the model's figures at the gateway.
  void refreshGateway();
  const queued = queueStore.get()[chatId];
  if (!queued) return;
  unqueue(chatId);
  send(chatId, queued);
}

export function unqueue(chatId: string): Draft | undefined {
  const { [chatId]: draft, ...rest } = queueStore.get();
  queueStore.set(rest);
  return draft;
}

function userMessage(chat: Conversation, parent: string, draft: Draft): Message {
  const message: Message = {
    id: newId(),
    parent,
    role: 'user',
    at: nextTimestamp(chat, parent),
    state: 'done',
    text: draft.text,
  };
  if (draft.attachments.length > 0) message.attachments = draft.attachments;
  return message;
}

function withTitle(chat: Conversation, draft: Draft): Conversation {
  const first = Object.values(chat.messages).every(
    (message) =>
      message.parent === '' || message.parent.startsWith('lane:') || message.role === 'assistant',
  );
  if (chat.named || !first) return chat;
  return { ...chat, title: titleFrom(draft.text || draft.attachments[0]?.name || '') };
}
