/** What the gateway sends, and what the page makes of it. */

/** `GET trunkline/page`: what can be known without a key. */
export interface PageInfo {
  version: string;
  key_required: boolean;
  demo: boolean;
  discovers?: boolean;
}

/** What requests cost; `unknown` of them were answered and are not in the sum. */
export interface Cost {
  usd: string | null;
  unknown: number;
}

/** Quantiles over a recent window, in milliseconds. */
export interface Quantiles {
  count: number;
  p50: number | null;
  p95: number | null;
}

/** US dollars for a million tokens, in decimal digits. */
export interface Price {
  input_per_million: string;
  cached_input_per_million: string;
  output_per_million: string | null;
}

/** `ready`, or why requests do not go there. */
export type TargetState =
  | 'ready'
  | 'ejected'
  | 'cooling'
  | 'benched'
  | 'exhausted'
  | 'unwell'
  | 'not_configured'
  | (string & {});

/** One place that a model's requests can go to. */
export interface TargetStatus {
  provider: string;
  upstream_model: string;
  /** The number of the credential. */
  key: number | null;
  /** The lowest is tried first. */
  priority: number;
  weight: number;
  fallback: boolean;
  state: TargetState;
  /** By the gateway's clock, as `at` of the status. */
  until: number | null;
}

export interface ModelStatus {
  id: string;
  provider: string;
  upstream_model: string;
  ready: boolean;
  /** The name of the variable or setting that would make it ready. */
  missing: string | null;
  in_flight: number;
  total: number;
  failed: number;
  first_token_ms: Quantiles;
  targets?: TargetStatus[];
  price?: Price | null;
  cost?: Cost;
  context?: number | null;
}

/** `cooling`, `open` and further states may come: unknown ones are shown as words. */
export type ProviderState = 'not_configured' | 'unknown' | 'ok' | 'failing' | (string & {});

export interface ProviderStatus {
  name: string;
  ready: boolean;
  missing: string | null;
  state: ProviderState;
  in_flight: number;
  total: number;
  failed: number;
  first_byte_ms: Quantiles;
  last_fault: { at: number; code: string } | null;
}

export interface RecentRequest {
  at: number;
  id: string;
  endpoint: string;
  model: string;
  provider: string;
  upstream_model: string;
  status: number;
  outcome: string;
  stream: boolean;
  first_token_ms: number | null;
  duration_ms: number;
  input_tokens: number | null;
  output_tokens: number | null;
  cost_usd?: string | null;
}

/** `GET trunkline/status`, and the first event of `GET trunkline/status/events`. */
export interface GatewayStatus {
  version: string;
  at: number;
  uptime_ms: number;
  draining: boolean;
  /** Whether `v1/models` names more models than these. */
  discovers?: boolean;
  requests: { in_flight: number; total: number; failed: number; cancelled: number };
  tokens: { input: number; output: number };
  cost?: Cost;
  models: ModelStatus[];
  providers: ProviderStatus[];
  recent: RecentRequest[];
}

/** Each later event: the rows that are not as they were. */
export type StatusChange = Omit<GatewayStatus, 'recent'> & Partial<Pick<GatewayStatus, 'recent'>>;

/** A model as the picker shows it, whichever endpoint told of it. */
export interface Model {
  id: string;
  provider: string;
  upstreamModel: string;
  ready: boolean;
  missing: string | null;
  state: ProviderState;
  firstTokenMs: number | null;
  /** How many of the places that its requests can go to are left out now. */
  out: { count: number; of: number; all: boolean };
  price: Price | null;
  context: number | null;
  /** Known by its name alone, from a list. */
  listed?: boolean;
}

/** One part of a message with images, in OpenAI's shape. */
export type ContentPart =
  | { type: 'text'; text: string }
  | { type: 'image_url'; image_url: { url: string } };

export interface WireToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export interface WireMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | ContentPart[] | null;
  tool_calls?: WireToolCall[];
  tool_call_id?: string;
}

/** The body of `POST v1/chat/completions`. */
export interface ChatRequest {
  model: string;
  messages: WireMessage[];
  stream?: boolean;
  stream_options?: { include_usage: boolean };
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
}
