import { Sparkline } from '../app/ui/Sparkline';
import { type Point, WINDOW_MS } from './series';

interface Line {
  pick: (point: Point) => number | null;
  className: string;
}

interface Props {
  label: string;
  /** The current figure. */
  value: string;
  more?: string;
  points: Point[];
  lines: Line[];
  /** The scale ends here, or at the largest value if that is larger. */
  minTop: number;
}

const SIZE = { width: 132, height: 30 };

/** A figure with its last minute. */
export function Trend({ label, value, more, points, lines, minTop }: Props) {
  const now = points.at(-1)?.at ?? 0;
  const values = lines.flatMap((line) => points.map((point) => line.pick(point) ?? 0));
  return (
    <div className="st-spark">
      <dt>{label}</dt>
      <dd>
        {value} {more && <span className="st-muted st-more">{more}</span>}
      </dd>
      <Sparkline
        lines={lines.map(({ pick, className }) => ({
          className,
          points: points.map((point) => ({
            x: 1 - (now - point.at) / WINDOW_MS,
            value: pick(point),
          })),
        }))}
        size={SIZE}
        top={Math.max(minTop, ...values)}
      />
    </div>
  );
}
