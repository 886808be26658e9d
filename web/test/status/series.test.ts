import { describe, expect, it } from 'vitest';
import type { GatewayStatus } from '../../src/api/types';
import { linePath } from '../../src/app/ui/Sparkline';
import { addPoint, quantile } from '../../src/status/series';

function status(at: number, total: number, failed = 0, output = 0): GatewayStatus {
  const recent = [
    { at: at - 1000, first_token_ms: 40 },
    { at: at - 2000, first_token_ms: null },
    { at: at - 3000, first_token_ms: 10 },
    { at: at - 70_000, first_token_ms: 9999 },
  ];
  return {
    at,
    requests: { total, failed, in_flight: 0, cancelled: 0 },
    tokens: { input: 0, output },
    recent,
  } as unknown as GatewayStatus;
}

describe('the last minute', () => {
  it('is computed from the difference of two counters', () => {
    const a = status(1000, 10, 1, 100);
    const b = status(3000, 14, 2, 700);
    const points = addPoint(addPoint([], null, a), a, b);
    expect(points).toHaveLength(2);
    expect(points[1]).toEqual({
      at: 3000,
      perSecond: 2,
      tokensPerSecond: 300,
      errorShare: 0.25,
      p50: 10,
      p95: 40,
    });
  });

  it('restarts with the gateway', () => {
    const points = addPoint([], status(1000, 50), status(2000, 1));
    expect(points[0]).toMatchObject({ perSecond: 0, errorShare: null });
  });

  it('drops older points, and adds no point twice', () => {
    let points = addPoint([], null, status(0, 0));
    for (let at = 1000; at <= 90_000; at += 1000)
      points = addPoint(points, status(at - 1000, 0), status(at, 0));
    expect(points).toHaveLength(60);
    expect(addPoint(points, status(90_000, 0), status(90_000, 0))).toHaveLength(60);
  });
});

describe('drawing', () => {
  it('breaks the line at missing values', () => {
    const points = [
      { x: 0, value: 1 },
      { x: 0.1, value: null },
      { x: 1, value: 2 },
    ];
    expect(linePath(points, { width: 100, height: 10 }, 2)).toBe('M0.0 5.0M100.0 1.0');
  });

  it('stays flat without a scale', () => {
    expect(linePath([{ x: 1, value: 3 }], { width: 10, height: 10 }, 0)).toBe('M10.0 9.0');
  });
});

it('quantiles are by nearest rank', () => {
  expect(quantile([], 0.5)).toBeNull();
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(quantile([1, 2, 3, 4], 0.95)).toBe(4);
});
