import { ThinkSplitter } from './think';
import type { ApiError, ChatEnd, ChatState, ToolCall, Usage } from './types';

type Json = Record<string, unknown>;

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
    if (chunk.error != null) {
      state.error = toApiError(chunk);
      return;
    }
    if (typeof chunk.id === 'string' && state.id === null) state.id = chunk.id;
    if (typeof chunk.model === 'string' && state.model === null) state.model = chunk.model;
    const usage = readUsage(chunk.usage);
    if (usage) state.usage = usage;
    const choices = Array.isArray(chunk.choices) ? chunk.choices : [];
    for (const item of choices) {
      const choice = asObject(item);
      // The page requests one choice; further ones would mix into its text.
      if (!choice || (typeof choice.index === 'number' && choice.index !== 0)) continue;
      const delta = asObject(choice[part]) ?? asObject(choice.delta) ?? asObject(choice.message);
      if (delta) this.delta(delta);
      if (typeof choice.finish_reason === 'string') state.finishReason = choice.finish_reason;
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
      delta.tool_calls.forEach((call, at) => {
        const object = asObject(call);
        if (object) this.toolCall(object, at);
      });
      counts = counts || delta.tool_calls.length > 0;
    }
    if (counts) state.deltas++;
  }

  private toolCall(delta: Json, at: number): void {
    const calls = this.state.toolCalls;
    const index = typeof delta.index === 'number' ? delta.index : at;
    let call = calls.find((c) => c.index === index);
    // Some servers send every complete call with index 0, distinguished by id only.
    const id = typeof delta.id === 'string' ? delta.id : '';
    if (call && id !== '' && call.id !== '' && id !== call.id) {
      call = calls.find((c) => c.id === id);
      if (!call) call = addCall(calls, Math.max(...calls.map((c) => c.index)) + 1);
    }
    call ??= addCall(calls, index);
    if (id !== '') call.id = id;
    if (typeof delta.type === 'string') call.type = delta.type;
    const fn = asObject(delta.function);
    if (typeof fn?.name === 'string')
      call.name = call.name === fn.name ? fn.name : call.name + fn.name;
    if (typeof fn?.arguments === 'string') call.arguments += fn.arguments;
    else if (asObject(fn?.arguments)) call.arguments += JSON.stringify(fn?.arguments);
  }
}

function addCall(calls: ToolCall[], index: number): ToolCall {
  const call = { index, id: '', type: 'function', name: '', arguments: '' };
  calls.push(call);
  calls.sort((a, b) => a.index - b.index);
  return call;
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

export function readUsage(value: unknown): Usage | null {
  const usage = asObject(value);
  if (!usage) return null;
  const input = num(usage.prompt_tokens) ?? num(usage.input_tokens);
  const output = num(usage.completion_tokens) ?? num(usage.output_tokens);
  const inputs = asObject(usage.prompt_tokens_details) ?? asObject(usage.input_tokens_details);
  const outputs =
    asObject(usage.completion_tokens_details) ?? asObject(usage.output_tokens_details);
  return {
    input,
    output,
    total: num(usage.total_tokens) ?? (input !== null && output !== null ? input + output : null),
    reasoning: num(outputs?.reasoning_tokens),
    cached: num(inputs?.cached_tokens),
    cost: num(usage.cost),
  };
}

/** The error of a body in any format; never throws. */
export function toApiError(
  body: unknown,
  fallback = 'The provider sent an error without a message.',
): ApiError {
  const error = asObject(body)?.error;
  const object = asObject(error);
  const message = object?.message ?? (typeof error === 'string' ? error : asObject(body)?.message);
  const text = (v: unknown) =>
    typeof v === 'string' ? v : typeof v === 'number' ? String(v) : null;
  return {
    message: typeof message === 'string' && message !== '' ? message : fallback,
    type: text(object?.type),
    param: text(object?.param),
    code: text(object?.code),
  };
}

function num(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : undefined;
}

function parse(data: string): Json | undefined {
  try {
    return asObject(JSON.parse(data));
  } catch {
    return undefined;
  }
}
