import { runChat } from '../api/lazy-run';
import { chatRequest } from '../api/wire';
import { t } from '../i18n';
import { createPaintQueue } from '../sse/paint';
import { createStore } from './create-store';
import { newId } from './id';
import { beginLive, endLive, HIDDEN_LEASE_MS, liveChats } from './live';
import { awaitModel } from './model-choice';
import { announce, finishedAnswerStore } from './notices';
import { changeChat, chatStore } from './storage/chats';
import { ancestors, nextTimestamp, patchMessage, replaceMessage, withMessage } from './tree';
import type { Fault, Message, MessageState } from './types';

/** Streams an answer into a conversation. */

/** The most that a crash of the browser can lose. */
const SAVE_EVERY_MS = 2000;
/** Characters of an answer that a screen reader reads out unasked. */
const MAX_READ_ALOUD = 1500;
/** Often enough to show progress, rarely enough not to annoy. */
const ANNOUNCE_EVERY_MS = 7000;

/** Said of an answer whose page was left. */
const closedFault = (): Fault => ({ kind: 'cut', message: t('fault.closed') });

const CONTINUE =
  'Your last message was cut off. Continue exactly where it stopped. Do not repeat anything and add no introduction.';

/** Browsers cut connections shortly before they tell the page that it is left. */
const UNLOAD_MS = 2000;

/** Answers whose connection was cut, with the time. */
const cuts = new Map<string, { chat: string; at: number }>();

/** Ends what streams, and tells of what was cut just before that it was for this reason. */
export function leavePage(): void {
  for (const run of liveChats()) run.leave();
  for (const [id, { chat, at }] of cuts) {
    if (Date.now() - at < UNLOAD_MS) markInterrupted(chat, id);
  }
  cuts.clear();
}

/** Ends an answer whose tab was closed. */
export function markInterrupted(chatId: string, id: string): void {
  changeChat(chatId, (chat) => patchMessage(chat, id, { state: 'cut', fault: closedFault() }));
}

/** Adds an empty answer to `parent` and streams into it. Returns how it ended. */
export function startAnswer(chatId: string, parent: string, model: string): Promise<MessageState> {
  const chat = chatStore(chatId).get();
  if (!chat) return Promise.resolve('failed');
  const message: Message = {
    id: newId(),
    parent,
    role: 'assistant',
    at: nextTimestamp(chat, parent),
    state: 'streaming',
    text: '',
    model,
    beat: Date.now(),
  };
  changeChat(chatId, (now) => withMessage(now, message));
  return streamAnswer(chatId, message);
}

/** Continues an incomplete answer after its text. */
export function resumeAnswer(
  chatId: string,
  message: Message,
  model: string,
): Promise<MessageState> {
  const { fault: _, finish: __, ...rest } = message;
  const again: Message = { ...rest, model, state: 'streaming', beat: Date.now() };
  changeChat(chatId, (now) => ({
    ...now,
    messages: { ...now.messages, [message.id]: again },
  }));
  return streamAnswer(chatId, again, message.text);
}

async function streamAnswer(chatId: string, start: Message, kept = ''): Promise<MessageState> {
  const chat = chatStore(chatId).get();
  if (!chat) return 'failed';
  const { id } = start;
  const controller = new AbortController();
  const message = createStore(start);
  // The drawn message may be a frame behind the received one.
  let newest = start;
  const paint = createPaintQueue(() => message.set(newest));
  let saved = 0;
  const commit = (frozen = false) => {
    const isHidden = document.visibilityState === 'hidden' && !frozen;
    saved = Date.now();
    newest = { ...newest, beat: saved, lease: isHidden ? HIDDEN_LEASE_MS : 0 };
    // As a whole: another tab may have added that it was cut.
    changeChat(chatId, (now) => replaceMessage(now, newest));
  };
  let left = false;
  const leave = () => {
    left = true;
    newest = { ...newest, state: 'cut', fault: closedFault() };
    commit();
    controller.abort();
  };
  beginLive(id, { chat: chatId, message, controller, commit, leave });
  const saving = setInterval(() => commit(), SAVE_EVERY_MS);
  const announcing = setInterval(() => announce(t('answer.still')), ANNOUNCE_EVERY_MS);
  announce(
    start.model ? t('answer.modelAnswers', { model: start.model }) : t('answer.theModelAnswers'),
  );
  const join = (text: string) => kept + text;
  try {
    const path = ancestors(chat, start);
    const history = kept ? [...path, start, instruction(id)] : path;
    const model = start.model || (await awaitModel(chat, path[0]?.parent));
    newest = { ...newest, model };
    const request = await chatRequest(model, history, chat.params);
    const end = await runChat(request, {
      signal: controller.signal,
      onProgress(progress) {
        if (left) return;
        newest = { ...newest, ...progress, text: join(progress.text) };
        paint.mark();
        // What is received wakes a hidden tab, whose timers hardly run.
        if (Date.now() - saved > 2 * SAVE_EVERY_MS) commit();
      },
    });
    if (!left) newest = { ...newest, ...end, text: join(end.text) };
  } finally {
    paint.stop();
    clearInterval(saving);
    clearInterval(announcing);
    commit();
    endLive(id);
  }
  if (newest.state === 'cut' || newest.fault?.kind === 'offline')
    cuts.set(id, { chat: chatId, at: Date.now() });
  announce(spoken(newest));
  if (newest.state === 'done') finishedAnswerStore.set(newest.text.slice(0, MAX_READ_ALOUD));
  return newest.state;
}

function instruction(parent: string): Message {
  return { id: '', parent, role: 'user', at: 0, state: 'done', text: CONTINUE };
}

function spoken(message: Message): string {
  if (message.state === 'stopped') return t('answer.stopped');
  if (message.state === 'cut') return t('answer.lost');
  if (message.state === 'failed')
    return t('answer.none', { problem: message.fault?.message ?? t('answer.anError') });
  return t('answer.complete');
}
