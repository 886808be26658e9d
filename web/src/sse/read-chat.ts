import { ChatAccumulator } from './chat';
import { readEvents } from './events';
import type { ChatResult, ChatState, ChatTimes } from './types';

export interface ReadChatOptions {
  /** Called after every event; throttle drawing in the callback. */
  onChange?: (state: ChatState, times: ChatTimes) => void;
  /** The signal passed to fetch: distinguishes `stopped` from `cut`. */
  signal?: AbortSignal;
  now?: () => number;
}

/**
 * Reads the body of a chat response with a 2xx status, streamed or not. Never throws: the result
 * contains what arrived before a failure.
 */
export async function readChat(
  response: Response,
  options: ReadChatOptions = {},
): Promise<ChatResult> {
  const now = options.now ?? (() => performance.now());
  const chat = new ChatAccumulator();
  const times: ChatTimes = {
    firstByte: null,
    firstToken: null,
    lastToken: null,
    firstAnswer: null,
    end: null,
  };
  let deltas = 0;
  const changed = () => {
    const state = chat.state;
    if (state.deltas > deltas) {
      deltas = state.deltas;
      times.lastToken = now();
      times.firstToken ??= times.lastToken;
    }
    if (times.firstAnswer === null && (state.content !== '' || state.toolCalls.length > 0))
      times.firstAnswer = now();
    options.onChange?.(state, times);
  };
  let cause: unknown;
  try {
    if (isJson(response)) {
      const text = await response.text();
      times.firstByte = now();
      chat.complete(JSON.parse(text));
      changed();
    } else if (response.body) {
      const onBytes = () => {
        times.firstByte ??= now();
      };
      for await (const event of readEvents(response.body, onBytes)) {
        const more = chat.push(event.data);
        changed();
        if (!more) break;
      }
    }
  } catch (error) {
    cause = error;
  }
  const end = chat.finish();
  times.end = now();
  options.onChange?.(chat.state, times);
  const result: ChatResult = { end, state: chat.state, times };
  if (cause !== undefined) result.cause = cause;
  if (end === 'cut' && options.signal?.aborted) result.end = 'stopped';
  return result;
}

/** Only a body declared as JSON is read as a whole: anything else may be a stream. */
function isJson(response: Response): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '');
}
