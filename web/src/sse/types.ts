export interface SseEvent {
  /** `message` if the server sent none. */
  event: string;
  data: string;
  /** The last id so far, as the standard requires. */
  id: string;
}

export interface ToolCall {
  index: number;
  id: string;
  /** `function` with nearly all providers; kept unchanged. */
  type: string;
  name: string;
  /** JSON text, incomplete until the answer is complete. */
  arguments: string;
}

export interface Usage {
  input: number | null;
  output: number | null;
  total: number | null;
  /** Reasoning tokens, part of `output`, if the provider reports them. */
  reasoning: number | null;
  /** Tokens of `input` served from the provider's cache. */
  cached: number | null;
  /** Tokens of `input` written to that cache. */
  cacheWrite: number | null;
  /** Something was used that has a price of its own, which is not known here. */
  unpriced: boolean;
}

/** The `error` member of an OpenAI-style error, all fields set. */
export interface ApiError {
  message: string;
  type: string | null;
  param: string | null;
  code: string | null;
}

/** The answer so far. One object, updated in place. */
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
  /** `[DONE]` was received, or the response was one complete JSON body. */
  done: boolean;
  /** Events with text, reasoning or a tool call: stands in for tokens until usage is known. */
  deltas: number;
}

/**
 * `complete`: `[DONE]` or a finish reason was received. `cut`: the body ended or failed without
 * either. `error`: an error object was received. `stopped`: aborted by the user.
 */
export type ChatEnd = 'complete' | 'cut' | 'error' | 'stopped';

/** Milliseconds by the `now` of the options; null until it happens. */
export interface ChatTimes {
  firstByte: number | null;
  /** First text, reasoning or tool call: "time to first token". */
  firstToken: number | null;
  /** The newest text, reasoning or tool call. */
  lastToken: number | null;
  /** First text that is not reasoning. */
  firstAnswer: number | null;
  end: number | null;
}

export interface ChatResult {
  end: ChatEnd;
  state: ChatState;
  times: ChatTimes;
  /** The network error, if it ended the body. */
  cause?: unknown;
}
