import { gatewayUrl } from '../api/base';
import { authHeaders, keyStore } from '../api/key';
import { createStore } from '../store/create-store';
import { liveChats, liveCount } from '../store/live';
import { isObject } from '../store/validate';

/** The caller's own limits, of `GET trunkline/limits`. */

export interface LimitAmount {
  /** Such as `tokens`; `budget` is in US dollars. */
  of: string;
  period?: string;
  limit: number;
  used: number;
  /** Part of `used`, by requests that are not complete. */
  reserved?: number;
  remaining: number;
  /** Epoch milliseconds at which the amount begins anew, or is whole again. */
  resetsAt?: number;
}

export interface Limit {
  rule: string;
  /** Such as `key alice`; empty if it is everyone's. */
  subject: string;
  model?: string;
  user?: string;
  provider?: string;
  /** It refuses nothing: what it would refuse is only counted. */
  observes?: boolean;
  amounts: LimitAmount[];
}

/** Empty without limits, and where the gateway tells none. */
export const limitsStore = createStore<Limit[]>([]);

/**
 * The gateway counts a request when its response has ended on its side, which may be later than
 * the last event here.
 */
const COUNTED_AFTER_MS = 300;

let pending: Promise<void> | undefined;
let again = false;

export function refreshLimits(): Promise<void> {
  if (pending) {
    // What is under way may have been counted before the reason for this call.
    again = true;
    return pending;
  }
  pending = read().finally(() => {
    pending = undefined;
    if (!again) return;
    again = false;
    void refreshLimits();
  });
  return pending;
}

async function read(): Promise<void> {
  const key = keyStore.get();
  try {
    const response = await fetch(gatewayUrl('trunkline/limits'), {
      headers: authHeaders(),
      cache: 'no-store',
    });
    const limits = response.ok ? parseLimits(await response.json()) : [];
    if (keyStore.get() === key) limitsStore.set(limits);
  } catch {
    // Without a response the last known figures stay.
  }
}

/** Keeps the limits current while they are shown: after each response, and when the tab returns. */
export function watchLimits(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = liveChats().length;
  const stops = [
    liveCount.subscribe(() => {
      const before = running;
      running = liveChats().length;
      if (running >= before) return;
      clearTimeout(timer);
      timer = setTimeout(() => void refreshLimits(), COUNTED_AFTER_MS);
    }),
    keyStore.subscribe(() => {
      limitsStore.set([]);
      void refreshLimits();
    }),
  ];
  const onVisibility = () => {
    if (document.visibilityState === 'visible') void refreshLimits();
  };
  document.addEventListener('visibilitychange', onVisibility);
  void refreshLimits();
  return () => {
    clearTimeout(timer);
    for (const stop of stops) stop();
    document.removeEventListener('visibilitychange', onVisibility);
  };
}

export function parseLimits(body: unknown): Limit[] {
  const rows = isObject(body) && Array.isArray(body.limits) ? body.limits.filter(isObject) : [];
  return rows.flatMap((row) => {
    const amounts = Array.isArray(row.amounts) ? row.amounts.filter(isObject) : [];
    const known = amounts.flatMap((amount) => parseAmount(amount) ?? []);
    if (typeof row.rule !== 'string' || known.length === 0) return [];
    const subject = typeof row.subject === 'string' ? row.subject : '';
    const split = ['model', 'user', 'provider'].flatMap((name) => {
      const value = row[name];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    const kind = row.observes === true && { observes: true };
    return [{ rule: row.rule, subject, ...Object.fromEntries(split), ...kind, amounts: known }];
  });
}

function parseAmount(amount: Record<string, unknown>): LimitAmount | undefined {
  const [limit, used] = [Number(amount.limit), Number(amount.used)];
  // Number('') and Number(null) are 0.
  const known = [amount.limit, amount.used].every((it) => it !== null && it !== '');
  if (typeof amount.of !== 'string' || !known || !Number.isFinite(limit + used)) return undefined;
  const left = Number(amount.remaining ?? Number.NaN);
  const reserved = Number(amount.reserved ?? 0);
  const at = typeof amount.resets_at === 'string' ? Date.parse(amount.resets_at) : Number.NaN;
  return {
    of: amount.of,
    ...(typeof amount.period === 'string' && { period: amount.period }),
    limit,
    used,
    ...(reserved > 0 && { reserved }),
    remaining: Number.isFinite(left) ? left : Math.max(0, limit - used),
    ...(Number.isFinite(at) && { resetsAt: at }),
  };
}
