import type { Metrics } from '../store/types';
import type { Price } from './types';

/** A rough count where nobody has counted: four characters of English to a token. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Tokens per second after the first one, which is what a reader sees. */
export function speedOf(metrics: Metrics | undefined): number | undefined {
  const { outputTokens, firstTokenMs, totalMs } = metrics ?? {};
  if (!outputTokens || outputTokens < 2 || firstTokenMs === undefined || totalMs === undefined) {
    return undefined;
  }
  const seconds = (totalMs - firstTokenMs) / 1000;
  // An answer that came in one piece has no speed.
  return seconds > 0.02 ? (outputTokens - 1) / seconds : undefined;
}

export function costOf(price: Price | null | undefined, metrics: Metrics): number | undefined {
  const input = Number(price?.input_per_million ?? Number.NaN);
  const output = Number(price?.output_per_million ?? Number.NaN);
  if (!Number.isFinite(input) || !Number.isFinite(output)) return undefined;
  return ((metrics.inputTokens ?? 0) * input + (metrics.outputTokens ?? 0) * output) / 1e6;
}
