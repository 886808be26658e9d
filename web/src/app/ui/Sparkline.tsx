import type { RecentRequest } from '../../api/types';

const WIDTH = 36;
const HEIGHT = 14;
/** Fewer make no line that says anything. */
const LEAST = 3;

/** First-token times of the last requests by model, the oldest first. */
export function timesOf(recent: RecentRequest[]): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const { model, first_token_ms: time } of [...recent].reverse()) {
    if (time !== null) times.set(model, [...(times.get(model) ?? []), time]);
  }
  return times;
}

/** A small line of times. The figure beside it says what matters. */
export function Spark({ times }: { times: number[] }) {
  if (times.length < LEAST) return null;
  const top = Math.max(...times);
  const points = times.map((time, i) => {
    const x = (i / (times.length - 1)) * WIDTH;
    const y = HEIGHT - 1 - (top > 0 ? time / top : 0) * (HEIGHT - 2);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  return (
    <svg className="spark" width={WIDTH} height={HEIGHT} fill="none" aria-hidden="true">
      <path d={`M${points.join('L')}`} />
    </svg>
  );
}
