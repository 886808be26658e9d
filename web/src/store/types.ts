/** What is kept in this browser. A change here needs a new `v` and a migration. */

/** Sampling settings and instructions of a conversation. Absent means the provider's own. */
export interface Params {
  system?: string;
  temperature?: number;
  topP?: number;
  maxTokens?: number;
}

export interface Preset {
  id: string;
  name: string;
  /** Empty: whatever model is chosen. */
  model: string;
  params: Params;
}

export interface Attachment {
  id: string;
  kind: 'image' | 'text';
  name: string;
  mime: string;
  bytes: number;
  /** A text file's content. Images lie in IndexedDB under `id`. */
  text?: string;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON as the model wrote it, possibly cut. */
  arguments: string;
}

/** Times in milliseconds since the request was sent, by this browser's clock. */
export interface Metrics {
  headersMs?: number;
  firstTokenMs?: number;
  totalMs?: number;
  inputTokens?: number;
  outputTokens?: number;
  reasoningTokens?: number;
  /** True where the provider sent no usage and the tokens are the page's guess. */
  estimated?: boolean;
  /** In US dollars. */
  cost?: number;
}

/** What went wrong, in the terms that the error cards are chosen by. */
export type FaultKind =
  | 'key'
  | 'payment'
  | 'forbidden'
  | 'model'
  | 'setup'
  | 'request'
  | 'too-large'
  | 'rate'
  | 'overloaded'
  | 'server'
  | 'upstream'
  | 'upstream-key'
  | 'timeout'
  | 'in-stream'
  | 'cut'
  | 'offline'
  | 'empty';

export interface Fault {
  kind: FaultKind;
  message: string;
  status?: number;
  code?: string;
  type?: string;
  param?: string;
  requestId?: string;
  provider?: string;
  /** Epoch milliseconds from which another try makes sense. */
  retryAt?: number;
  /** The variable or setting that is missing. */
  missing?: string;
  /** The answer as it came, cut to a sane length. */
  raw?: string;
}

/** `stopped`: by the reader. `cut`: the connection went. `failed`: an error came instead. */
export type MessageState = 'done' | 'streaming' | 'stopped' | 'cut' | 'failed';

export interface Message {
  id: string;
  /** The message before it; `''` or `lane:<id>` at the top. */
  parent: string;
  role: 'user' | 'assistant';
  at: number;
  state: MessageState;
  text: string;
  attachments?: Attachment[];
  reasoning?: string;
  reasoningMs?: number;
  toolCalls?: ToolCall[];
  /** The name that was asked for, and who answered. */
  model?: string;
  provider?: string;
  upstreamModel?: string;
  requestId?: string;
  upstreamRequestId?: string;
  finish?: string;
  metrics?: Metrics;
  fault?: Fault;
  /** Last sign of life of a stream, so that another tab can tell a live one from a lost one. */
  beat?: number;
}

export interface Lane {
  id: string;
  model: string;
}

export interface Conversation {
  v: 1;
  id: string;
  title: string;
  /** True once the reader named it: then it is never renamed by the page. */
  named: boolean;
  model: string;
  params: Params;
  created: number;
  updated: number;
  pinned: boolean;
  messages: Record<string, Message>;
  /** Which child of a message is shown, by the parent's id. */
  chosen: Record<string, string>;
  /** Ids that were deleted, so that another tab's copy does not bring them back. */
  gone: string[];
  /** Present in a comparison. */
  lanes?: Lane[];
}

/** One row of the list: enough to draw it without reading the conversation. */
export interface IndexEntry {
  id: string;
  title: string;
  model: string;
  updated: number;
  bytes: number;
  pinned: boolean;
  /** In IndexedDB, not in localStorage. */
  cold?: boolean;
  /** When it was deleted; removed for good once it can no longer be undone. */
  deleted?: number;
  compare?: boolean;
}

export interface Settings {
  v: 1;
  theme: 'system' | 'light' | 'dark';
  density: 'normal' | 'compact';
  fontSize: number;
  sendKey: 'enter' | 'mod-enter';
  singleKeys: boolean;
  /** The model of a new conversation. */
  model: string;
  favourites: string[];
  presets: Preset[];
  params: Params;
  sidebar: boolean;
  status: boolean;
}
