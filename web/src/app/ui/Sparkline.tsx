interface Point {
  /** From 0 at the left edge to 1 at the right one. */
  x: number;
  /** Null: a gap in the line. */
  value: number | null;
}

interface Size {
  width: number;
  height: number;
}

interface Props {
  lines: { points: Point[]; className?: string }[];
  size: Size;
  /** The value at the upper edge. */
  top: number;
}

/** Lines without a scale. Hidden from screen readers: the figure beside it has the value. */
export function Sparkline({ lines, size, top }: Props) {
  return (
    <svg
      className="spark"
      {...size}
      viewBox={`0 0 ${size.width} ${size.height}`}
      preserveAspectRatio="none"
      fill="none"
      aria-hidden="true"
      focusable="false"
    >
      {lines.map(({ points, className }) => (
        <path key={className} className={className} d={linePath(points, size, top)} />
      ))}
    </svg>
  );
}

export function linePath(points: Point[], { width, height }: Size, top: number): string {
  let command = 'M';
  let path = '';
  for (const { x, value } of points) {
    if (value === null) {
      command = 'M';
      continue;
    }
    const y = height - 1 - (top > 0 ? Math.min(1, value / top) : 0) * (height - 2);
    path += `${command}${(x * width).toFixed(1)} ${y.toFixed(1)}`;
    command = 'L';
  }
  return path;
}
