import { t } from '../i18n';
import { type ChatResult, type ChatTimes, readChat } from '../sse';
import type { Fault, Message, Metrics, ToolCall } from '../store/types';
import { gatewayUrl } from './base';
import { identity, networkFault, responseFault, streamFault } from './faults';
import { gatewayStore } from './gateway';
import { authHeaders } from './key';
import { costOf, estimateTokens } from './metrics';
import { type SuspensionWatch, watchSuspension } from './suspension';
import type { ChatRequest } from './types';

/** The message fields that a run fills in. */
export type Progress = Pick<Message, 'state' | 'text'> & Partial<Message>;

export interface RunOptions {
  signal: AbortSignal;
  /** Called for every event; throttle drawing in the callback. */
  onProgress: (progress: Progress) => void;
}

/** Sends a chat request and reads the response to its end. Never throws. */
export async function runChat(request: ChatRequest, options: RunOptions): Promise<Progress> {
  const watch = watchSuspension();
  try {
    return await run(request, options, watch);
  } finally {
    watch.stop();
  }
}

async function run(
  request: ChatRequest,
  options: RunOptions,
  watch: SuspensionWatch,
): Promise<Progress> {
  const started = performance.now();
  const since = (at: number | null) => (at ?? performance.now()) - started;
  let response: Response;
  try {
    response = await post(request, options.signal);
    if (await refusesUsage(response)) {
      const { stream_options: _, ...rest } = request;
      response = await post(rest, options.signal);
    }
  } catch {
    if (options.signal.aborted) return { state: 'stopped', text: '' };
    return failed(networkFault(navigator.onLine));
  }
  if (!response.ok) return failed(await responseFault(response));

  const headersMs = performance.now() - started;
  /** False if the page was suspended before the first token. */
  let firstIsTrue: boolean | undefined;
  const tokenTimes = (times: ChatTimes): Metrics => ({
    ...(firstIsTrue && { firstTokenMs: since(times.firstToken) }),
    ...(times.lastToken !== null && { lastTokenMs: since(times.lastToken) }),
    ...(watch.suspended && { suspended: true }),
  });
  const who = responder(response.headers, request.model);
  const result = await readChat(response, {
    signal: options.signal,
    onChange(state, times) {
      watch.mark();
      if (times.firstToken !== null) firstIsTrue ??= !watch.suspended;
      const thinking = times.firstAnswer ?? performance.now();
      options.onProgress({
        ...who,
        state: 'streaming',
        text: state.content || state.refusal,
        ...reasoningPatch(state.reasoning, thinking - (times.firstToken ?? thinking)),
        ...toolCallsPatch(state.toolCalls),
        metrics: {
          headersMs,
          ...tokenTimes(times),
          totalMs: performance.now() - started,
          outputTokens: state.deltas,
          estimated: true,
        },
      });
    },
  });

  const { state, times, end } = result;
  const metrics = { ...measure(request, result, headersMs), ...tokenTimes(times) };
  metrics.totalMs = since(times.end);
  const done: Progress = {
    ...who,
    state: 'done',
    text: state.content || state.refusal,
    ...reasoningPatch(
      state.reasoning,
      (times.firstAnswer ?? times.end ?? 0) - (times.firstToken ?? 0),
    ),
    ...toolCallsPatch(state.toolCalls),
    metrics,
  };
  if (!done.upstreamModel && state.model) done.upstreamModel = state.model;
  if (state.finishReason) done.finish = state.finishReason;
  return { ...done, ...ending(end, state.error, done) };
}

function post(request: ChatRequest, signal: AbortSignal): Promise<Response> {
  return fetch(gatewayUrl('v1/chat/completions'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authHeaders() },
    // For the demo, whose code must name the address that leads here. No provider gets it.
    referrerPolicy: 'same-origin',
    body: JSON.stringify(request),
    signal,
  });
}

/** Some providers refuse the option that asks for usage, which is not worth the answer. */
async function refusesUsage(response: Response): Promise<boolean> {
  if (![400, 422, 500, 501].includes(response.status)) return false;
  const text = await response.clone().text();
  return /stream.?options|include.?usage/i.test(text);
}

function ending(
  end: 'complete' | 'cut' | 'error' | 'stopped',
  error: Parameters<typeof streamFault>[0] | null,
  done: Progress,
): Partial<Progress> {
  const ids = {
    ...(done.requestId && { requestId: done.requestId }),
    ...(done.provider && { provider: done.provider }),
  };
  if (end === 'stopped') return { state: 'stopped' };
  if (end === 'error' && error) {
    return { state: 'failed', fault: { ...streamFault(error), ...ids } };
  }
  if (end === 'cut') {
    return { state: 'cut', fault: { kind: 'cut', message: t('fault.cut'), ...ids } };
  }
  if (!done.text && !done.reasoning && !done.toolCalls) {
    return { state: 'failed', fault: { kind: 'empty', message: t('fault.empty'), ...ids } };
  }
  return {};
}

function failed(fault: Fault): Progress {
  return {
    state: 'failed',
    text: '',
    fault,
    ...(fault.requestId && { requestId: fault.requestId }),
    ...(fault.provider && { provider: fault.provider }),
  };
}

function responder(headers: Headers, model: string): Partial<Message> {
  // Without response headers, the model list has the provider.
  const listed = gatewayStore.get().models.find((entry) => entry.id === model);
  const upstreamModel = headers.get('x-trunkline-model');
  const upstreamRequestId = headers.get('x-request-id');
  return {
    ...(listed?.provider && { provider: listed.provider }),
    ...(listed?.upstreamModel && { upstreamModel: listed.upstreamModel }),
    ...identity(headers),
    ...(upstreamModel && { upstreamModel }),
    ...(upstreamRequestId && { upstreamRequestId }),
  };
}

function measure(request: ChatRequest, { state, end }: ChatResult, headersMs: number): Metrics {
  const { usage } = state;
  const metrics: Metrics = { headersMs };
  metrics.inputTokens = usage?.input ?? estimateTokens(JSON.stringify(request.messages));
  metrics.outputTokens = usage?.output ?? state.deltas;
  if (usage?.input == null || usage.output == null) metrics.estimated = true;
  if (usage?.reasoning != null) metrics.reasoningTokens = usage.reasoning;
  // What was thought before the first token took no time after it.
  if (usage?.output && usage.reasoning && !state.reasoning)
    metrics.streamedTokens = Math.max(0, usage.output - usage.reasoning);
  const price = gatewayStore.get().models.find((model) => model.id === request.model)?.price;
  // Before the end, a report may be a total so far.
  const cost = usage && end === 'complete' ? costOf(price, usage) : undefined;
  if (cost !== undefined) metrics.cost = cost;
  return metrics;
}

function reasoningPatch(reasoning: string, ms: number): Partial<Message> {
  return reasoning ? { reasoning, reasoningMs: Math.max(0, ms) } : {};
}

function toolCallsPatch(calls: { id: string; name: string; arguments: string }[]): {
  toolCalls?: ToolCall[];
} {
  if (calls.length === 0) return {};
  const copy = calls.map((call) => ({ id: call.id, name: call.name, arguments: call.arguments }));
  return { toolCalls: copy };
}
