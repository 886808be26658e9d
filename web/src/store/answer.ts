import { runChat } from '../api/run';
import { chatRequest } from '../api/wire';
import { createPaintQueue } from '../sse';
import { changeChat, chatStore } from './chats';
import { createStore } from './create';
import { newId } from './id';
import { beginLive, endLive } from './live';
import { answeredStore, say } from './notices';
import { before, momentAfter, patched, withMessage } from './tree';
import type { Message } from './types';

/** Writing an answer into a conversation, from the request to the last token. */

/** So much is lost at most when the browser dies in the middle of an answer. */
const KEEP_EVERY_MS = 2000;
/** What is longer than this nobody wants read out unasked. */
const LONGEST_READ = 1500;
/** Often enough to know that it goes on, too seldom to be a nuisance. */
const SAY_EVERY_MS = 7000;

const CONTINUE =
  'Your last message was cut off. Go on exactly where it stopped. Repeat nothing and add no introduction.';

/** Puts an empty answer below `parent` and has it written. */
export function answer(chatId: string, parent: string, model: string): Promise<void> {
  const chat = chatStore(chatId).get();
  if (!chat) return Promise.resolve();
  const message: Message = {
    id: newId(),
    parent,
    role: 'assistant',
    at: momentAfter(chat, parent),
    state: 'streaming',
    text: '',
    model,
    beat: Date.now(),
  };
  changeChat(chatId, (now) => withMessage(now, message));
  return write(chatId, message);
}

/** Has an answer that broke off written to its end, behind what is there. */
export function resume(chatId: string, message: Message, model: string): Promise<void> {
  const { fault: _, finish: __, ...rest } = message;
  const again: Message = { ...rest, model, state: 'streaming', beat: Date.now() };
  changeChat(chatId, (now) => ({
    ...now,
    messages: { ...now.messages, [message.id]: again },
  }));
  return write(chatId, again, message.text);
}

async function write(chatId: string, start: Message, kept = ''): Promise<void> {
  const chat = chatStore(chatId).get();
  if (!chat) return;
  const { id } = start;
  const controller = new AbortController();
  const message = createStore(start);
  // What is drawn may lag behind what has arrived by a frame.
  let newest = start;
  const paint = createPaintQueue(() => message.set(newest));
  const commit = () => {
    newest = { ...newest, beat: Date.now() };
    changeChat(chatId, (now) => patched(now, id, newest));
  };
  beginLive(id, { chat: chatId, message, controller, commit });
  const keeping = setInterval(commit, KEEP_EVERY_MS);
  const saying = setInterval(() => say('Still answering.'), SAY_EVERY_MS);
  say(`${start.model} is answering.`);
  const join = (text: string) => kept + text;
  try {
    const path = before(chat, start);
    const history = kept ? [...path, start, instruction(id)] : path;
    const request = await chatRequest(start.model ?? chat.model, history, chat.params);
    const end = await runChat(request, {
      signal: controller.signal,
      onProgress(progress) {
        newest = { ...newest, ...progress, text: join(progress.text) };
        paint.mark();
      },
    });
    newest = { ...newest, ...end, text: join(end.text) };
  } finally {
    paint.stop();
    clearInterval(keeping);
    clearInterval(saying);
    commit();
    endLive(id);
  }
  say(spoken(newest));
  if (newest.state === 'done') answeredStore.set(newest.text.slice(0, LONGEST_READ));
}

function instruction(parent: string): Message {
  return { id: '', parent, role: 'user', at: 0, state: 'done', text: CONTINUE };
}

function spoken(message: Message): string {
  if (message.state === 'stopped') return 'Stopped.';
  if (message.state === 'cut') return 'The connection was lost. What had arrived is kept.';
  if (message.state === 'failed') return `No answer: ${message.fault?.message ?? 'an error'}`;
  return 'The answer is complete.';
}
