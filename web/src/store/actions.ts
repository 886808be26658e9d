import { gatewayStore, refreshGateway } from '../api/gateway';
import { answer, resume } from './answer';
import { addChat, changeChat, chatStore } from './chats';
import { createStore } from './create';
import { newId } from './id';
import { listStore } from './list';
import { isLive } from './live';
import { settingsStore } from './settings';
import {
  laneRoot,
  momentAfter,
  newConversation,
  patched,
  pathOf,
  titleFrom,
  withMessage,
  without,
} from './tree';
import type { Attachment, Conversation, Message } from './types';

/** What the reader can do in a conversation. */

export interface Draft {
  text: string;
  attachments: Attachment[];
}

/** Messages written while an answer was still coming, by conversation. */
export const queueStore = createStore<Record<string, Draft>>({});

/** The model that a new message goes to. */
export function modelFor(chat: Conversation | null | undefined): string {
  const { models } = gatewayStore.get();
  if (chat?.model) return chat.model;
  const wanted = settingsStore.get().model;
  if (models.some((each) => each.id === wanted && each.ready)) return wanted;
  return models.find((each) => each.ready)?.id ?? wanted;
}

/** Sends a message; without a conversation a new one begins. Gives its id. */
export function send(chatId: string | null, draft: Draft): string {
  const existing = chatId ? chatStore(chatId).get() : null;
  if (chatId && existing && isLive(chatId)) {
    queueStore.update((all) => ({ ...all, [chatId]: draft }));
    return chatId;
  }
  const chat = existing ?? newConversation(modelFor(null), settingsStore.get().params);
  if (!existing) {
    addChat(chat);
    askToKeep();
  }
  const roots = chat.lanes?.map((lane) => laneRoot(lane.id)) ?? [''];
  const runs = roots.map((root, i) => {
    const now = chatStore(chat.id).get() ?? chat;
    const parent = pathOf(now, root).at(-1)?.id ?? root;
    const message = userMessage(now, parent, draft);
    changeChat(chat.id, (each) => named(withMessage(each, message), draft));
    return answer(chat.id, message.id, chat.lanes?.[i]?.model ?? modelFor(chat));
  });
  void Promise.all(runs).then(() => afterAnswer(chat.id));
  return chat.id;
}

/** With the first conversation there is something that the browser should not clear away. */
function askToKeep(): void {
  if (listStore.get().length === 1)
    globalThis.navigator?.storage?.persist?.().catch(() => undefined);
}

/** Another answer to the same message, beside the ones that are there. */
export function regenerate(chatId: string, message: Message, model?: string): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  const next = model ?? message.model ?? modelFor(chat);
  // An error is no version of the answer that anyone would go back to.
  if (message.state === 'failed' && !message.text) deleteMessage(chatId, message.id);
  void answer(chatId, message.parent, next).then(() => afterAnswer(chatId));
}

/** A new branch with other words. The old one stays where it was. */
export function edit(chatId: string, message: Message, draft: Draft): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  const next = userMessage(chat, message.parent, draft);
  changeChat(chatId, (now) => named(withMessage(now, next), draft));
  void answer(chatId, next.id, modelFor(chat)).then(() => afterAnswer(chatId));
}

export function continueAnswer(chatId: string, message: Message): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  void resume(chatId, message, message.model ?? modelFor(chat)).then(() => afterAnswer(chatId));
}

export function choose(chatId: string, message: Message): void {
  changeChat(chatId, (chat) => ({
    ...chat,
    chosen: { ...chat.chosen, [message.parent]: message.id },
  }));
}

export function deleteMessage(chatId: string, id: string): void {
  changeChat(chatId, (chat) => without(chat, id));
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

/** Marks an answer whose tab is gone as what it is. */
export function markCut(chatId: string, message: Message): void {
  const text = 'The page was closed before the answer was complete.';
  changeChat(chatId, (chat) =>
    patched(chat, message.id, { state: 'cut', fault: { kind: 'cut', message: text } }),
  );
}

/** One lane of a comparison as an ordinary conversation. */
export function keepLane(chat: Conversation, lane: string): string {
  const path = pathOf(chat, laneRoot(lane));
  const model = chat.lanes?.find((each) => each.id === lane)?.model ?? chat.model;
  const fresh = { ...newConversation(model, chat.params), title: chat.title, named: chat.named };
  const first = path[0];
  fresh.messages = Object.fromEntries(
    path.map((each) => [each.id, each === first ? { ...each, parent: '' } : each]),
  );
  addChat(fresh);
  return fresh.id;
}

/** How the id of a comparison begins: an empty one is not kept, but its address may be. */
export const COMPARISON = 'vs-';

/** A conversation with lanes, not yet kept: it is once something is sent. */
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
  // The answer changed what the gateway knows of this model.
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
    at: momentAfter(chat, parent),
    state: 'done',
    text: draft.text,
  };
  if (draft.attachments.length > 0) message.attachments = draft.attachments;
  return message;
}

function named(chat: Conversation, draft: Draft): Conversation {
  const first = Object.values(chat.messages).every(
    (each) => each.parent === '' || each.parent.startsWith('lane:') || each.role === 'assistant',
  );
  if (chat.named || !first) return chat;
  return { ...chat, title: titleFrom(draft.text || draft.attachments[0]?.name || '') };
}
