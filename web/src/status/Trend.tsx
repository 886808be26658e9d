import { type Point, sparkline } from './series';

interface Line {
  pick: (point: Point) => number | null;
  className: string;
}

interface Props {
  label: string;
  /** The figure of this moment, in words. */
  value: string;
  more?: string;
  points: Point[];
  lines: Line[];
  /** Top of the scale at least; it grows with the values. */
  atLeast: number;
}

const SIZE = { width: 132, height: 30 };

/** A figure with its last minute. The drawing adds nothing a listener would miss. */
export function Sparkline({ label, value, more, points, lines, atLeast }: Props) {
  const now = points.at(-1)?.at ?? 0;
  const values = lines.flatMap((line) => points.map((point) => line.pick(point) ?? 0));
  const top = Math.max(atLeast, ...values);
  return (
    <div className="st-spark">
      <dt>{label}</dt>
      <dd>
        {value} {more && <span className="st-muted st-more">{more}</span>}
      </dd>
      <svg
        viewBox={`0 0 ${SIZE.width} ${SIZE.height}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        focusable="false"
      >
        {lines.map((line) => (
          <path
            key={line.className}
            className={line.className}
            d={sparkline(
              points.map((point) => ({ at: point.at, value: line.pick(point) })),
              SIZE,
              now,
              top,
            )}
          />
        ))}
      </svg>
    </div>
  );
}
