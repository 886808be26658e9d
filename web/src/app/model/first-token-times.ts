import type { RecentRequest } from '../../api/types';

/** First-token times of the last requests by model, oldest first. */
export function firstTokenTimes(recent: RecentRequest[]): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const { model, first_token_ms: time } of [...recent].reverse()) {
    if (time !== null) times.set(model, [...(times.get(model) ?? []), time]);
  }
  return times;
}
