import type { GatewayStatus } from '../api/types';

/** One second of the gateway, as its counters tell by difference. */
export interface Point {
  at: number;
  perSecond: number;
  tokensPerSecond: number;
  /** Of the requests that ended since the last point; null where none did. */
  errorShare: number | null;
  p50: number | null;
  p95: number | null;
}

export const WINDOW_MS = 60_000;

/** The points of the last minute, with one more for `next`. */
export function grow(points: Point[], before: GatewayStatus | null, next: GatewayStatus): Point[] {
  const kept = points.filter((point) => point.at > next.at - WINDOW_MS);
  // Counters that fell mean that the gateway was started anew: nothing to compare with.
  if (!before || next.at <= before.at || next.requests.total < before.requests.total) {
    return kept.length > 0 && before && next.at <= before.at ? kept : [...kept, first(next)];
  }
  const seconds = (next.at - before.at) / 1000;
  const requests = next.requests.total - before.requests.total;
  const failed = Math.max(0, next.requests.failed - before.requests.failed);
  const tokens = Math.max(0, next.tokens.output - before.tokens.output);
  return [
    ...kept,
    {
      ...first(next),
      perSecond: requests / seconds,
      tokensPerSecond: tokens / seconds,
      errorShare: requests > 0 ? Math.min(1, failed / requests) : null,
    },
  ];
}

function first(status: GatewayStatus): Point {
  const times = status.recent
    .filter((each) => each.at > status.at - WINDOW_MS)
    .flatMap((each) => (each.first_token_ms === null ? [] : [each.first_token_ms]))
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

/** Of a sorted list, by the nearest rank. */
export function quantile(sorted: number[], q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}

/** An SVG path through the values; gaps where there are none. */
export function sparkline(
  points: { at: number; value: number | null }[],
  size: { width: number; height: number },
  now: number,
  top: number,
): string {
  let pen = 'M';
  let path = '';
  for (const { at, value } of points) {
    if (value === null) {
      pen = 'M';
      continue;
    }
    const x = size.width * (1 - (now - at) / WINDOW_MS);
    const y = size.height - 1 - (top > 0 ? Math.min(1, value / top) : 0) * (size.height - 2);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  }
  return path;
}
