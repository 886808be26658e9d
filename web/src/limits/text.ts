import { count, exactTime, money, seconds } from '../app/format';

const UNITS: Record<string, string> = {
  requests: 'requests',
  tokens: 'tokens',
  input_tokens: 'input tokens',
  output_tokens: 'output tokens',
  budget: 'budget',
  concurrent: 'requests at a time',
};

/** `tokens per minute`, `budget per month`, `requests at a time`. */
export function quotaName(of: string, period: string | undefined): string {
  const unit = UNITS[of] ?? of.replaceAll('_', ' ');
  if (!period) return unit;
  return period === 'total' ? `${unit} in total` : `${unit} per ${period}`;
}

export function amountText(of: string, amount: number): string {
  return of === 'budget' ? money(amount) : count(amount);
}

/** `$10 per month`, `200,000 tokens per minute`. */
export function limitText(of: string, period: string | undefined, limit: number): string {
  const amount = amountText(of, limit);
  const name = quotaName(of, period);
  // The dollar sign tells already that it is money.
  return of === 'budget' ? `${amount}${name.slice(UNITS.budget?.length)}` : `${amount} ${name}`;
}

const HOUR_MS = 3_600_000;

/** Short waits count down, longer ones name the time. */
export function isShort(ms: number): boolean {
  return ms < HOUR_MS;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** `in 12 s`, `at 14:00`, `tomorrow at 00:00` or the date. */
export function whenText(at: number, now = Date.now()): string {
  if (isShort(at - now)) return `in ${seconds(Math.max(1, Math.ceil((at - now) / 1000)) * 1000)}`;
  const midnight = new Date(now);
  midnight.setHours(24, 0, 0, 0);
  if (at < midnight.getTime()) return `at ${clock.format(at)}`;
  midnight.setDate(midnight.getDate() + 1);
  if (at < midnight.getTime()) return `tomorrow at ${clock.format(at)}`;
  return `on ${exactTime(at)}`;
}
