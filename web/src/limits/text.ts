import { count, exactTime, money, seconds } from '../app/format';
import { perLanguage, t } from '../i18n';

const UNITS: Record<string, (n: number) => string> = {
  requests: (n) => t('limits.requests', { n }),
  tokens: (n) => t('limits.tokens', { n }),
  input_tokens: (n) => t('limits.inputTokens', { n }),
  output_tokens: (n) => t('limits.outputTokens', { n }),
  budget: () => t('limits.budget'),
  concurrent: (n) => t('limits.concurrent', { n }),
};

const PERIODS: Record<string, (what: string) => string> = {
  second: (what) => t('limits.second', { what }),
  minute: (what) => t('limits.minute', { what }),
  hour: (what) => t('limits.hour', { what }),
  day: (what) => t('limits.day', { what }),
  week: (what) => t('limits.week', { what }),
  month: (what) => t('limits.month', { what }),
  total: (what) => t('limits.total', { what }),
};

/** Without a number as of many. */
const unitOf = (of: string, n = 100) => UNITS[of]?.(n) ?? of.replaceAll('_', ' ');

function within(what: string, period: string | undefined): string {
  if (!period) return what;
  return PERIODS[period]?.(what) ?? t('limits.per', { what, period });
}

/** `tokens per minute`, `budget per month`, `requests at a time`. */
export function quotaName(of: string, period: string | undefined): string {
  return within(unitOf(of), period);
}

export function amountText(of: string, amount: number): string {
  return of === 'budget' ? money(amount) : count(amount);
}

/** `$10 per month`, `200,000 tokens per minute`. */
export function limitText(of: string, period: string | undefined, limit: number): string {
  const amount = amountText(of, limit);
  // The dollar sign tells already that it is money.
  return within(
    of === 'budget' ? amount : t('limits.amount', { amount, unit: unitOf(of, limit) }),
    period,
  );
}

const HOUR_MS = 3_600_000;

/** Short waits count down, longer ones name the time. */
export function isShort(ms: number): boolean {
  return ms < HOUR_MS;
}

const clock = perLanguage(
  (locale) => new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' }),
);

/** `in 12 s`, `at 14:00`, `tomorrow at 00:00` or the date. */
export function whenText(at: number, now = Date.now()): string {
  if (isShort(at - now)) {
    const left = Math.max(1, Math.ceil((at - now) / 1000));
    return t('limits.in', { time: seconds(left * 1000) });
  }
  const midnight = new Date(now);
  midnight.setHours(24, 0, 0, 0);
  if (at < midnight.getTime()) return t('limits.at', { time: clock().format(at) });
  midnight.setDate(midnight.getDate() + 1);
  if (at < midnight.getTime()) return t('limits.tomorrow', { time: clock().format(at) });
  return t('limits.on', { time: exactTime(at) });
}
