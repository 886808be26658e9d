import { refreshGateway } from '../api/gateway';
import { t } from '../i18n';
import { loadModule } from '../load-module';
import { resumeAnswer, startAnswer } from './answer';
import { newId } from './id';
import { isLive, liveChats, stopRuns } from './live';
import { modelFor } from './model-choice';
import { dequeue, enqueue } from './queue';
import { settingsStore } from './settings';
import { findEntry, listStore } from './storage/chat-list';
import { addChat, changeChat, chatStore } from './storage/chats';
import { settleImages } from './storage/images';
import { isTemporary, nextIsTemporary, temporaryId } from './temporary';
import {
  ancestors,
  laneRoot,
  newConversation,
  nextTimestamp,
  pathOf,
  titleFrom,
  withMessage,
  withoutMessage,
} from './tree';
import type { Attachment, Conversation, Message, MessageState, ToolResult } from './types';

/** User actions in a conversation. */

export interface Draft {
  text: string;
  attachments: Attachment[];
}

/** Sends a message, in a new conversation if `chatId` is null. Returns the conversation's id. */
export function send(chatId: string | null, draft: Draft): string {
  const existing = chatId ? chatStore(chatId).get() : null;
  if (chatId && existing && isLive(chatId)) {
    enqueue(chatId, draft);
    return chatId;
  }
  const chat = existing ?? begin();
  settleImages(draft.attachments, isTemporary(chat.id));
  const roots = chat.lanes?.map((lane) => laneRoot(lane.id)) ?? [''];
  const runs = roots.map((root, i) => {
    const now = chatStore(chat.id).get() ?? chat;
    const parent = pathOf(now, root).at(-1)?.id ?? root;
    const message = userMessage(now, parent, draft);
    changeChat(chat.id, (current) => withTitle(withMessage(current, message), draft));
    return startAnswer(chat.id, message.id, chat.lanes?.[i]?.model ?? modelFor(chat));
  });
  void Promise.all(runs).then((ends) => afterAnswer(chat.id, ends));
  return chat.id;
}

function begin(): Conversation {
  const fresh = newConversation(modelFor(null), settingsStore.get().params);
  const temporary = takeTemporary();
  const chat = temporary ? { ...fresh, id: temporaryId(fresh.id) } : fresh;
  addChat(chat);
  if (!temporary) requestPersistence();
  return chat;
}

/** Whether the conversation that begins is a temporary one; the next is not, unless it is said. */
function takeTemporary(): boolean {
  const temporary = nextIsTemporary.get();
  nextIsTemporary.set(false);
  return temporary;
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
  else stopBelow(chat, message.id);
  void startAnswer(chatId, message.parent, next).then((end) => afterAnswer(chatId, [end]));
}

/** Adds the edited message as a new branch; the old one is kept. */
export function edit(chatId: string, message: Message, draft: Draft): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  stopBelow(chat, message.id);
  const next = userMessage(chat, message.parent, draft);
  changeChat(chatId, (now) => withTitle(withMessage(now, next), draft));
  void startAnswer(chatId, next.id, modelFor(chat)).then((end) => afterAnswer(chatId, [end]));
}

/** Goes on with the results of an answer's tool calls. */
export function sendToolResults(chatId: string, answer: Message, results: ToolResult[]): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  const draft = { text: '', attachments: [] };
  const next = { ...userMessage(chat, answer.id, draft), toolResults: results };
  changeChat(chatId, (now) => withMessage(now, next));
  void startAnswer(chatId, next.id, answer.model ?? modelFor(chat)).then((end) =>
    afterAnswer(chatId, [end]),
  );
}

export function continueAnswer(chatId: string, message: Message): void {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  void resumeAnswer(chatId, message, message.model ?? modelFor(chat)).then((end) =>
    afterAnswer(chatId, [end]),
  );
}

export function choose(chatId: string, message: Message): void {
  changeChat(chatId, (chat) => ({
    ...chat,
    chosen: { ...chat.chosen, [message.parent]: message.id },
  }));
}

/** Returns the conversation as it was, for `undelete`. */
export function deleteMessage(chatId: string, id: string): Conversation | null | undefined {
  for (const run of liveChats()) if (run.chat === chatId) run.commit();
  const before = chatStore(chatId).get();
  changeChat(chatId, (chat) => withoutMessage(chat, id));
  stopOrphans();
  return before;
}

/** Restores what was deleted; an answer that was streaming has ended with its deletion. */
export function undelete(before: Conversation): void {
  const stopped = Object.entries(before.messages).map(([id, message]): [string, Message] => [
    id,
    message.state === 'streaming' ? { ...message, state: 'stopped' } : message,
  ]);
  changeChat(before.id, (now) => ({
    ...now,
    messages: { ...Object.fromEntries(stopped), ...now.messages },
    chosen: { ...now.chosen, ...before.chosen },
    gone: before.gone,
  }));
}

/** Ends the requests of answers below a message, whose branch is left for another. */
function stopBelow(chat: Conversation, id: string): void {
  stopRuns(
    (run) =>
      run.chat === chat.id &&
      ancestors(chat, run.message.get()).some((message) => message.id === id),
  );
}

/** Ends the requests of answers that were deleted, here or in another tab. */
export function stopOrphans(): void {
  stopRuns(({ chat }, message) => {
    if (findEntry(chat)?.deleted) return true;
    const now = chatStore(chat).get();
    return now === null || (now !== undefined && !now.messages[message]);
  });
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

/** Copies a lane of a comparison into a new conversation. Returns its id. */
export function keepLane(chat: Conversation, lane: string): string {
  const path = pathOf(chat, laneRoot(lane));
  const model = chat.lanes?.find((entry) => entry.id === lane)?.model ?? chat.model;
  const fresh = { ...newConversation(model, chat.params), title: chat.title, named: chat.named };
  const first = path[0];
  fresh.messages = Object.fromEntries(
    path.map((message) => [
      message.id,
      {
        ...message,
        ...(message === first && { parent: '' }),
        // The stream goes on in the lane only.
        ...(message.state === 'streaming' && { state: 'stopped' }),
      },
    ]),
  );
  const id = isTemporary(chat.id) ? temporaryId(fresh.id) : fresh.id;
  addChat({ ...fresh, id });
  return id;
}

/** Prefix of a comparison's id: an empty comparison is not stored, but its URL may be. */
export const COMPARISON = 'vs-';

/** Opens a conversation with lanes. It is stored once a message is sent. */
export function startComparison(models: string[]): string {
  const fresh = newConversation(models[0] ?? '', settingsStore.get().params);
  const id = takeTemporary() ? temporaryId(fresh.id) : `${COMPARISON}${fresh.id}`;
  addChat({
    ...fresh,
    id,
    title: t('chat.newComparison'),
    lanes: models.map((model) => ({ id: newId(), model })),
  });
  return id;
}

/** After an answer that did not end well, what waits for it goes on waiting. */
function afterAnswer(chatId: string, ends: MessageState[]): void {
  if (isLive(chatId)) return;
  // The request changed the model's figures at the gateway.
  void refreshGateway();
  if (findEntry(chatId)?.deleted || !ends.every((end) => end === 'done')) return;
  const { titleModel } = settingsStore.get();
  const chat = chatStore(chatId).get();
  if (titleModel && chat) {
    void loadModule(() => import('./model-title'))
      .then(({ titleByModel }) => titleByModel(chat, titleModel))
      .catch(() => {});
  }
  sendQueued(chatId);
}

/** Sends the next waiting question, or the one with this id. */
export function sendQueued(chatId: string, id?: string): void {
  if (isLive(chatId)) return;
  const draft = dequeue(chatId, id);
  if (draft) send(chatId, draft);
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
