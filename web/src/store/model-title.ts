import { runChat } from '../api/lazy-run';
import { chatRequest } from '../api/wire';
import { newId } from './id';
import { findEntry, listStore } from './storage/chat-list';
import { changeChat } from './storage/chats';
import { isTemporary } from './temporary';
import { pathOf, titleFrom } from './tree';
import type { Conversation, Message } from './types';

/** A title made by a model, after the first answer. Off by default: it costs a request. */

const ASK =
  'Write a title for the following conversation: at most six words, in its language, without quotation marks or a full stop. Respond with the title only.';
/** Enough to tell what it is about. */
const MAX_CHARS = 1500;
const TIMEOUT_MS = 30_000;

/** `chat`: as it was after the answer, since the next question may follow at once. */
export async function titleByModel(chat: Conversation, model: string): Promise<void> {
  if (!wantsTitle(chat)) return;
  const [question, answer] = pathOf(chat);
  const text = [ASK, question?.text, answer?.text]
    .map((part) => (part ?? '').slice(0, MAX_CHARS))
    .join('\n\n---\n\n');
  const message: Message = { id: newId(), parent: '', role: 'user', at: 0, state: 'done', text };
  const request = await chatRequest(model, [message], {});
  const controller = new AbortController();
  const stop = () => controller.abort();
  const timer = setTimeout(stop, TIMEOUT_MS);
  const unsubscribe = listStore.subscribe(() => isDeleted(chat.id) && stop());
  const { signal } = controller;
  const { state, text: title } = await runChat(request, { signal, onProgress: () => {} });
  clearTimeout(timer);
  unsubscribe();
  const clean = cleanTitle(title);
  if (state !== 'done' || !clean) return;
  // The user may have named it meanwhile, or edited the question.
  changeChat(chat.id, (now) =>
    !now.named && now.title === chat.title ? { ...now, title: clean } : now,
  );
}

/** The first line, without the quotation marks and the full stop of any script. */
export function cleanTitle(text: string): string {
  const line = text.split('\n').find((part) => part.trim() !== '') ?? '';
  const bare = line.trim().replace(/^["'“”„«»「『《]+|["'”“»«」』》.。]+$/g, '');
  return bare && titleFrom(bare);
}

/** After the first complete answer only, where it is shown, and never over a name of the user's. */
function wantsTitle(chat: Conversation): boolean {
  if (chat.named || chat.lanes || isTemporary(chat.id) || pathOf(chat).length !== 2) return false;
  const isAnswer = ({ role, state }: Message) => role === 'assistant' && state === 'done';
  return Object.values(chat.messages).filter(isAnswer).length === 1;
}

function isDeleted(id: string): boolean {
  return findEntry(id)?.deleted !== undefined;
}
