import type { Health } from './health';

/** Types of the gateway's API and of what the page derives from it. */

/** `GET trunkline/page`: served without a key. */
export interface PageInfo {
  version: string;
  key_required: boolean;
  demo: boolean;
  discovers?: boolean;
}

/** Cost of requests; `unknown` counts successful requests that are not in the sum. */
export interface Cost {
  usd: string | null;
  unknown: number;
}

/** In milliseconds, over a recent window. */
export interface Quantiles {
  count: number;
  p50: number | null;
  p95: number | null;
}

/** US dollars per million tokens, as decimal strings. */
export interface Rates {
  input_per_million: string;
  cached_input_per_million: string;
  output_per_million: string | null;
  cache_write_per_million?: string;
}

export interface Price extends Rates {
  /** For prompts of more tokens than `above`. */
  long_prompt?: Rates & { above: number };
}

/** `ready`, or why the target gets no requests. */
export type TargetState =
  | 'ready'
  | 'ejected'
  | 'cooldown'
  | 'unauthorized'
  | 'rate_limited'
  | 'unhealthy'
  | 'not_configured'
  | (string & {});

export interface TargetStatus {
  provider: string;
  upstream_model: string;
  /** Index of the provider's credential. */
  key: number | null;
  /** The lowest number is tried first. */
  priority: number;
  weight: number;
  fallback: boolean;
  state: TargetState;
  /** By the gateway's clock, like `at` of the status. */
  until: number | null;
}

export interface ModelStatus {
  id: string;
  provider: string;
  upstream_model: string;
  ready: boolean;
  /** The environment variable or setting to add. */
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

/** Newer gateways may send further states: shown as text. */
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
  last_error: { at: number; code: string } | null;
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
  /** True if `v1/models` lists more models than these. */
  discovers?: boolean;
  /** True if the client may read `trunkline/operator`. */
  operator?: boolean;
  requests: { in_flight: number; total: number; failed: number; cancelled: number };
  tokens: { input: number; output: number };
  cost?: Cost;
  models: ModelStatus[];
  providers: ProviderStatus[];
  recent: RecentRequest[];
}

/** Each later event: only the rows that changed. */
export type StatusChange = Omit<GatewayStatus, 'recent'> & Partial<Pick<GatewayStatus, 'recent'>>;

/** A model as the picker shows it, from the status or from `v1/models`. */
export interface Model {
  id: string;
  provider: string;
  upstreamModel: string;
  ready: boolean;
  missing: string | null;
  health: Health;
  firstTokenMs: number | null;
  price: Price | null;
  context: number | null;
  /** From `v1/models` only: name and owner are all that is known. */
  listed?: boolean;
}

/** One part of a multimodal message, in OpenAI's format. */
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

export interface ChatRequest {
  model: string;
  messages: WireMessage[];
  stream?: boolean;
  stream_options?: { include_usage: boolean };
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  reasoning_effort?: string;
  stop?: string[];
  seed?: number;
  response_format?: { type: 'json_object' };
}
