import type { Usage } from '../sse/types';
import type { Metrics } from '../store/types';
import type { Price } from './types';

/** Estimate if no usage is reported: four characters of English per token. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Tokens per second after the first token. */
export function speedOf(metrics: Metrics | undefined): number | undefined {
  const { outputTokens, firstTokenMs, totalMs } = metrics ?? {};
  if (!outputTokens || outputTokens < 2 || firstTokenMs === undefined || totalMs === undefined) {
    return undefined;
  }
  const seconds = (totalMs - firstTokenMs) / 1000;
  // An answer received in one chunk has no rate.
  return seconds > 0.02 ? (outputTokens - 1) / seconds : undefined;
}

/** For display only: the gateway's own figures are exact, this one is a float. */
export function costOf(price: Price | null | undefined, usage: Usage): number | undefined {
  const rate = (text: string | null | undefined) => Number(text ?? Number.NaN);
  const input = rate(price?.input_per_million);
  const cached = rate(price?.cached_input_per_million ?? price?.input_per_million);
  const output = rate(price?.output_per_million);
  const sent = usage.input ?? 0;
  const hit = Math.min(usage.cached ?? 0, sent);
  // Some providers leave reasoning tokens out of the output count, but not out of the total.
  const received = Math.max(usage.output ?? 0, (usage.total ?? 0) - sent);
  const cost = ((sent - hit) * input + hit * cached + received * output) / 1e6;
  return Number.isFinite(cost) ? cost : undefined;
}
