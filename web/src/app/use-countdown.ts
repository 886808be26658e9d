import { useEffect, useState } from 'react';

/** Whole seconds until a moment, updated each second. */
export function useCountdown(at: number | null | undefined): number {
  const [, tick] = useState(0);
  const left = at ? Math.max(0, Math.ceil((at - Date.now()) / 1000)) : 0;
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => tick((n) => n + 1), 1000);
    return () => clearTimeout(timer);
  });
  return left;
}
