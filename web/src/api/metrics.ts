import type { Usage } from '../sse/types';
import type { Metrics } from '../store/types';
import type { Price } from './types';

/** Estimate if no usage is reported: four characters of English per token. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Tokens per second from the first to the last one. */
export function speedOf(metrics: Metrics | undefined): number | undefined {
  const { firstTokenMs, lastTokenMs, totalMs, suspended } = metrics ?? {};
  const tokens = metrics?.streamedTokens ?? metrics?.outputTokens ?? 0;
  // Older conversations have no time of the last token.
  const end = lastTokenMs ?? totalMs;
  if (tokens < 2 || suspended || firstTokenMs === undefined || end === undefined) return undefined;
  const seconds = (end - firstTokenMs) / 1000;
  // An answer received in one chunk has no rate.
  return seconds > 0.02 ? (tokens - 1) / seconds : undefined;
}

/**
 * As the gateway computes it: undefined without a price of each kind of token that was used. For
 * display only: the gateway's own figures are exact, this one is a float.
 */
export function costOf(price: Price | null | undefined, usage: Usage): number | undefined {
  const { input, cached, cacheWrite, output, reasoning, total, unpriced } = usage;
  if (!price || !input || unpriced || (output === null && total === null)) return undefined;
  const long = price.long_prompt;
  const rates = long && input > long.above ? long : price;
  const plain = input - (cached ?? 0) - (cacheWrite ?? 0);
  // Some providers leave reasoning tokens out of the output count, but not out of the total.
  const apart = (reasoning ?? 0) > (output ?? 0) ? reasoning : 0;
  const received = Math.max((output ?? 0) + (apart ?? 0), (total ?? 0) - input);
  const parts: [number, string | null | undefined][] = [
    [plain, rates.input_per_million],
    [cached ?? 0, rates.cached_input_per_million],
    [cacheWrite ?? 0, rates.cache_write_per_million],
    [received, rates.output_per_million],
  ];
  if (plain < 0 || parts.some(([tokens, rate]) => tokens > 0 && rate == null)) return undefined;
  return parts.reduce((sum, [tokens, rate]) => sum + (tokens * Number(rate ?? 0)) / 1e6, 0);
}
