import { toApiError } from './api-error';
import { asObject, isEmpty, type Json, text } from './json';
import { ThinkSplitter } from './think';
import type { ChatEnd, ChatState, ToolCall, Usage } from './types';

export function emptyChat(): ChatState {
  return {
    id: null,
    model: null,
    content: '',
    reasoning: '',
    refusal: '',
    toolCalls: [],
    finishReason: null,
    usage: null,
    error: null,
    done: false,
    deltas: 0,
  };
}

/** Accumulates the chunks of a streamed chat completion, or takes a complete one. */
export class ChatAccumulator {
  readonly state: ChatState = emptyChat();
  private readonly think = new ThinkSplitter();
  /** The last call at each index of the stream. */
  private readonly atIndex = new Map<number, ToolCall>();
  private lastCall: ToolCall | undefined;
  private tier: unknown;
  private invalid = false;

  /**
   * Takes the data of one event. Returns false after `[DONE]` or an error: later events are
   * ignored.
   */
  push(data: string): boolean {
    if (this.state.done || this.state.error) return false;
    if (data.trim() === '[DONE]') {
      this.state.done = true;
      return false;
    }
    const chunk = parse(data);
    if (!chunk) {
      // A truncated event means a lost connection. A complete event with invalid JSON is treated
      // the same: continuing would show a text with a gap.
      this.invalid = true;
      return true;
    }
    this.chunk(chunk, 'delta');
    return this.state.error === null;
  }

  /** Takes the body of a response that is not a stream. */
  complete(body: unknown): void {
    const object = asObject(body);
    if (!object) {
      this.invalid = true;
      return;
    }
    this.chunk(object, 'message');
    if (!this.state.error && !Array.isArray(object.choices)) this.invalid = true;
    else this.state.done = true;
  }

  finish(): ChatEnd {
    const rest = this.think.end();
    this.state.content += rest.content;
    this.state.reasoning += rest.reasoning;
    if (this.state.error) return 'error';
    // A finish reason without `[DONE]` is a complete answer of a non-conforming server: as `cut`,
    // it would offer to continue a finished text.
    const ended = this.state.done || this.state.finishReason !== null;
    return ended && !(this.invalid && this.state.finishReason === null) ? 'complete' : 'cut';
  }

  private chunk(chunk: Json, part: 'delta' | 'message'): void {
    const state = this.state;
    if (!isEmpty(chunk.error) || chunk.object === 'error') {
      state.error = toApiError(chunk);
      return;
    }
    if (typeof chunk.id === 'string' && state.id === null) state.id = chunk.id;
    if (typeof chunk.model === 'string' && state.model === null) state.model = chunk.model;
    this.tier = chunk.service_tier ?? this.tier;
    const usage = readUsage(chunk.usage ?? asObject(chunk.x_groq)?.usage, this.tier);
    // A later report is the total so far. Zeros behind real figures are none.
    if (usage && (!state.usage || known(usage) >= known(state.usage))) state.usage = usage;
    const choices = Array.isArray(chunk.choices) ? chunk.choices : [];
    for (const item of choices) {
      const choice = asObject(item);
      // The page requests one choice; further ones would mix into its text.
      if (!choice || (typeof choice.index === 'number' && choice.index !== 0)) continue;
      const delta = asObject(choice[part]) ?? asObject(choice.delta) ?? asObject(choice.message);
      if (delta) this.delta(delta);
      const reason = text(choice.finish_reason);
      // An empty string stands for none, as null does.
      if (reason !== '') state.finishReason = reason;
    }
  }

  private delta(delta: Json): void {
    const state = this.state;
    const thought = reasoningOf(delta);
    const text = textOf(delta.content);
    let counts = false;
    if (thought !== '') {
      state.reasoning += thought;
      counts = true;
    }
    if (text !== '') {
      const split = this.think.push(text);
      state.content += split.content;
      state.reasoning += split.reasoning;
      counts = true;
    }
    if (typeof delta.refusal === 'string' && delta.refusal !== '') {
      state.refusal += delta.refusal;
      counts = true;
    }
    if (Array.isArray(delta.tool_calls)) {
      const calls = delta.tool_calls.flatMap<Json>((call) => asObject(call) ?? []);
      for (const [at, call] of calls.entries()) this.toolCall(call, at, calls.length > 1);
      counts = counts || calls.length > 0;
    }
    if (counts) state.deltas++;
  }

  private toolCall(delta: Json, at: number, several: boolean): void {
    const fn = asObject(delta.function);
    const id = text(delta.id);
    const name = text(fn?.name);
    const args = asObject(fn?.arguments) ? JSON.stringify(fn?.arguments) : text(fn?.arguments);
    // Some servers leave the index out, or write it as text.
    const given = isEmpty(delta.index) ? Number.NaN : Number(delta.index);
    const index = Number.isInteger(given) ? given : several ? at : undefined;
    let call = index === undefined ? this.lastCall : this.atIndex.get(index);
    if (id !== '' && id !== call?.id) {
      const same = this.state.toolCalls.find((c) => c.id === id);
      // Some servers make up an id for each piece; a new call has a name.
      if (same || (call?.id && (name !== '' || isComplete(call)))) call = same;
    }
    // Some servers send every complete call with the same index, or without one.
    else if (call && name !== '' && args !== '' && id === '' && isComplete(call)) call = undefined;
    call ??= this.addCall(index ?? 0);
    this.lastCall = call;
    if (index !== undefined) this.atIndex.set(index, call);
    call.id ||= id;
    call.type = text(delta.type) || call.type;
    if (name !== call.name) call.name += name;
    call.arguments += args;
  }

  private addCall(wanted: number): ToolCall {
    const calls = this.state.toolCalls;
    const isTaken = calls.some((c) => c.index === wanted);
    const index = isTaken ? Math.max(...calls.map((c) => c.index)) + 1 : wanted;
    const call = { index, id: '', type: 'function', name: '', arguments: '' };
    calls.push(call);
    calls.sort((a, b) => a.index - b.index);
    return call;
  }
}

/** True if the arguments are a whole object, so that nothing can follow. */
function isComplete(call: ToolCall): boolean {
  return parse(call.arguments) !== undefined;
}

/** The three field names for reasoning; a delta has one of them. */
function reasoningOf(delta: Json): string {
  for (const key of ['reasoning_content', 'reasoning', 'thinking']) {
    const text = textOf(delta[key]);
    if (text !== '') return text;
  }
  return '';
}

/** Text as a string, or as a list of parts from some providers. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value
    .map((part) => {
      const text = asObject(part)?.text;
      return typeof text === 'string' ? text : '';
    })
    .join('');
}

/** How many of prompt and answer are known. */
function known({ input, output, total }: Usage): number {
  return Number(!!input) + Number(!!output || (total ?? 0) > (input ?? 0));
}

const PLAIN_TIERS = ['', 'auto', 'default', 'standard', 'on_demand'];

export function readUsage(value: unknown, tier?: unknown): Usage | null {
  const usage = asObject(value);
  if (!usage) return null;
  const input = count(usage.prompt_tokens) || count(usage.input_tokens);
  const output = count(usage.completion_tokens) || count(usage.output_tokens);
  const inputs = asObject(usage.prompt_tokens_details) ?? asObject(usage.input_tokens_details);
  const outputs =
    asObject(usage.completion_tokens_details) ?? asObject(usage.output_tokens_details);
  const total =
    count(usage.total_tokens) ?? (input !== null && output !== null ? input + output : null);
  if (!input && !output && !total) return null;
  const others = [inputs?.audio_tokens, inputs?.image_tokens, inputs?.video_tokens];
  others.push(outputs?.audio_tokens, outputs?.image_tokens);
  others.push(asObject(usage.server_tool_use)?.web_search_requests);
  others.push(usage.num_sources_used, usage.num_search_queries, usage.num_server_side_tools_used);
  others.push(usage.search_context_size);
  // A count of another type.
  const sums = [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens];
  others.push(sums.some((n) => !isEmpty(n) && count(n) === null));
  return {
    input,
    output,
    total,
    reasoning: count(outputs?.reasoning_tokens),
    cached: count(inputs?.cached_tokens) || count(usage.prompt_cache_hit_tokens),
    cacheWrite: count(inputs?.cache_write_tokens),
    unpriced: others.some((n) => !!n) || !PLAIN_TIERS.includes(text(tier)),
  };
}

/** The count of a report; null for what is none, such as text. */
function count(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

function parse(data: string): Json | undefined {
  try {
    return asObject(JSON.parse(data));
  } catch {
    return undefined;
  }
}
