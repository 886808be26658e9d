import type { GatewayStatus } from '../api/types';

/** Rates between two status events, from the difference of their counters. */
export interface Point {
  at: number;
  perSecond: number;
  tokensPerSecond: number;
  /** Of the requests completed since the last point; null if there were none. */
  errorShare: number | null;
  p50: number | null;
  p95: number | null;
}

export const WINDOW_MS = 60_000;

export function addPoint(
  points: Point[],
  before: GatewayStatus | null,
  next: GatewayStatus,
): Point[] {
  const kept = points.filter((point) => point.at > next.at - WINDOW_MS);
  // Lower counters mean that the gateway restarted: no difference can be taken.
  if (!before || next.at <= before.at || next.requests.total < before.requests.total) {
    return kept.length > 0 && before && next.at <= before.at ? kept : [...kept, snapshot(next)];
  }
  const seconds = (next.at - before.at) / 1000;
  const requests = next.requests.total - before.requests.total;
  const failed = Math.max(0, next.requests.failed - before.requests.failed);
  const tokens = Math.max(0, next.tokens.output - before.tokens.output);
  return [
    ...kept,
    {
      ...snapshot(next),
      perSecond: requests / seconds,
      tokensPerSecond: tokens / seconds,
      errorShare: requests > 0 ? Math.min(1, failed / requests) : null,
    },
  ];
}

function snapshot(status: GatewayStatus): Point {
  const times = status.recent
    .filter((request) => request.at > status.at - WINDOW_MS)
    .flatMap((request) => (request.first_token_ms === null ? [] : [request.first_token_ms]))
    .sort((a, b) => a - b);
  return {
    at: status.at,
    perSecond: 0,
    tokensPerSecond: 0,
    errorShare: null,
    p50: quantile(times, 0.5),
    p95: quantile(times, 0.95),
  };
}

/** By nearest rank. */
export function quantile(sorted: number[], q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}
