/** One dispatched server-sent event. */
export interface SseEvent {
  /** `message` where the server named none. */
  event: string;
  data: string;
  /** The last id seen so far, as the standard wants it. */
  id: string;
}

export interface ToolCall {
  index: number;
  id: string;
  /** `function` for nearly all; kept as it came. */
  type: string;
  name: string;
  /** JSON as text; only complete when the answer is. */
  arguments: string;
}

export interface Usage {
  input: number | null;
  output: number | null;
  total: number | null;
  /** Part of `output` that was thinking, where the provider says so. */
  reasoning: number | null;
  /** Part of `input` that came from the provider's cache. */
  cached: number | null;
  /** What the provider says it cost, in US dollars. */
  cost: number | null;
}

/** The `error` member of an OpenAI-shaped error, all members filled. */
export interface ApiError {
  message: string;
  type: string | null;
  param: string | null;
  code: string | null;
}

/** What an answer has come to so far. One object, changed in place. */
export interface ChatState {
  id: string | null;
  model: string | null;
  content: string;
  reasoning: string;
  refusal: string;
  toolCalls: ToolCall[];
  finishReason: string | null;
  usage: Usage | null;
  error: ApiError | null;
  /** `[DONE]` was seen, or the answer was one complete JSON body. */
  done: boolean;
  /** Events that carried text, thinking or a tool call: a stand-in for tokens while usage is unknown. */
  deltas: number;
}

/**
 * `complete`: `[DONE]` or a finish reason came. `cut`: the body ended or broke
 * without either. `error`: an error object came. `stopped`: the caller aborted.
 */
export type ChatEnd = 'complete' | 'cut' | 'error' | 'stopped';

/** Milliseconds of the clock that was handed in; null while it has not happened. */
export interface ChatTimes {
  /** First byte of the body. */
  firstByte: number | null;
  /** First text, thinking or tool call: what "time to first token" means. */
  firstToken: number | null;
  /** First text that is no thinking. */
  firstAnswer: number | null;
  end: number | null;
}

export interface ChatResult {
  end: ChatEnd;
  state: ChatState;
  times: ChatTimes;
  /** What broke the body, where `end` is `cut` by a network error. */
  cause?: unknown;
}
