/** The format of stored conversations and settings. A change needs a new `v` and a migration. */

/** Sampling parameters and system prompt. Absent: the provider's default. */
export interface Params {
  system?: string;
  temperature?: number;
  topP?: number;
  maxTokens?: number;
  reasoningEffort?: string;
  /** Texts at which the answer ends. */
  stop?: string[];
  seed?: number;
  /** The answer is a JSON object. */
  json?: boolean;
}

export interface Preset {
  id: string;
  name: string;
  /** Empty: the selected model. */
  model: string;
  params: Params;
}

export interface Attachment {
  id: string;
  kind: 'image' | 'text';
  name: string;
  mime: string;
  bytes: number;
  /** The content of a text file. Images are in IndexedDB under `id`. */
  text?: string;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON as written by the model, possibly truncated. */
  arguments: string;
}

/** What the user entered as the result of a tool call. */
export interface ToolResult {
  id: string;
  name: string;
  content: string;
}

/** Milliseconds since the request was sent, by the browser's clock. */
export interface Metrics {
  headersMs?: number;
  firstTokenMs?: number;
  lastTokenMs?: number;
  totalMs?: number;
  inputTokens?: number;
  outputTokens?: number;
  reasoningTokens?: number;
  /** Tokens that were streamed, where the provider keeps its reasoning back. */
  streamedTokens?: number;
  /** True if the browser suspended the page meanwhile: its times tell nothing then. */
  suspended?: boolean;
  /** True if the provider sent no usage and the token counts are estimates. */
  estimated?: boolean;
  /** In US dollars. */
  cost?: number;
}

/** Selects the error card. */
export type FaultKind =
  | 'key'
  | 'payment'
  | 'forbidden'
  | 'model'
  | 'setup'
  | 'request'
  | 'too-large'
  | 'rate'
  | 'limit'
  | 'quota'
  | 'blocked'
  | 'exceeds'
  | 'unmetered'
  | 'overloaded'
  | 'server'
  | 'upstream'
  | 'upstream-key'
  | 'timeout'
  | 'in-stream'
  | 'cut'
  | 'offline'
  | 'empty';

/** The caller's own limit that refused the request; amounts are decimal text. */
export interface FaultLimit {
  rule: string;
  /** Such as `key alice`; empty if it is everyone's. */
  subject: string;
  /** Such as `tokens`; `budget` is in US dollars. */
  of: string;
  period?: string;
  limit: string;
  used: string;
  requested?: string;
}

export interface Fault {
  kind: FaultKind;
  message: string;
  status?: number;
  code?: string;
  type?: string;
  param?: string;
  requestId?: string;
  provider?: string;
  /** Epoch milliseconds from which a retry makes sense. */
  retryAt?: number;
  /** The missing environment variable or setting. */
  missing?: string;
  limit?: FaultLimit;
  /** The response body, truncated. */
  raw?: string;
}

/** `stopped`: by the user. `cut`: the connection was lost. `failed`: an error was returned. */
export type MessageState = 'done' | 'streaming' | 'stopped' | 'cut' | 'failed';

export interface Message {
  id: string;
  /** The previous message; `''` or `lane:<id>` at the top. */
  parent: string;
  role: 'user' | 'assistant';
  at: number;
  state: MessageState;
  text: string;
  attachments?: Attachment[];
  reasoning?: string;
  reasoningMs?: number;
  toolCalls?: ToolCall[];
  /** Of a question: the results of all the calls of the answer before it. */
  toolResults?: ToolResult[];
  /** The requested model; the fields below tell who served it. */
  model?: string;
  provider?: string;
  upstreamModel?: string;
  requestId?: string;
  upstreamRequestId?: string;
  finish?: string;
  metrics?: Metrics;
  fault?: Fault;
  /**
   * Heartbeat of a streaming message, so that another tab can tell a live stream from a lost one.
   */
  beat?: number;
  /** How much later than usual the next one may come, in ms. */
  lease?: number;
}

export interface Lane {
  id: string;
  model: string;
}

export interface Conversation {
  v: 1;
  id: string;
  title: string;
  /** True once named by the user: the page then never renames it. */
  named: boolean;
  model: string;
  params: Params;
  created: number;
  updated: number;
  pinned: boolean;
  messages: Record<string, Message>;
  /** The selected child of a message, by the parent's id. */
  chosen: Record<string, string>;
  /** Deleted message ids, so that another tab's copy does not restore them. */
  gone: string[];
  /** Set in a comparison. */
  lanes?: Lane[];
}

/** A row of the list: enough to draw it without loading the conversation. */
export interface IndexEntry {
  id: string;
  title: string;
  model: string;
  updated: number;
  bytes: number;
  pinned: boolean;
  /** Archived: in IndexedDB, not in localStorage. */
  cold?: boolean;
  /** Time of deletion; purged once it can no longer be undone. */
  deleted?: number;
  compare?: boolean;
}

export interface Settings {
  v: 1;
  /** Of the page; empty: the browser's. */
  language: string;
  theme: 'system' | 'light' | 'dark';
  density: 'normal' | 'compact';
  fontSize: number;
  sendKey: 'enter' | 'mod-enter';
  singleKeys: boolean;
  /** The model of a new conversation. */
  model: string;
  /** The model that makes titles; empty: the first words are the title. */
  titleModel: string;
  presets: Preset[];
  params: Params;
  sidebar: boolean;
  status: boolean;
}
