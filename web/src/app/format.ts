/** Numbers, times and money in the user's locale. */

const whole = new Intl.NumberFormat();
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(undefined, { notation: 'compact' });

export const count = (n: number) => whole.format(Math.round(n));

/** The first names, and the number of others. */
export function shortList(names: string[], most = 30): string {
  const more = names.length - most;
  const shown = names.slice(0, most).join(', ');
  return more > 0 ? `${shown} and ${count(more)} more` : shown;
}
export const short = (n: number) => compact.format(n);

export function milliseconds(ms: number): string {
  if (ms < 1000) return `${whole.format(Math.round(ms))} ms`;
  return seconds(ms);
}

export function seconds(ms: number): string {
  if (ms < 60_000) return `${oneDigit.format(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function speed(perSecond: number): string {
  return `${perSecond < 10 ? oneDigit.format(perSecond) : count(perSecond)} tok/s`;
}

export function money(dollars: number): string {
  if (dollars === 0) return '$0';
  const digits = dollars >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(dollars)));
  return `$${dollars.toFixed(Math.max(2, digits))}`;
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  if (n < 1024 * 1024) return `${oneDigit.format(n / 1024)} KB`;
  return `${oneDigit.format(n / 1024 / 1024)} MB`;
}

/** The date heading of a conversation in the list. */
export function dayOf(at: number, now = Date.now()): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const day = 86_400_000;
  if (at >= midnight) return 'Today';
  if (at >= midnight - day) return 'Yesterday';
  if (at >= midnight - 7 * day) return 'Last 7 days';
  if (at >= midnight - 30 * day) return 'Last 30 days';
  return new Date(at).toLocaleDateString(undefined, { month: 'long', year: 'numeric' });
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export const exactTime = (at: number) => moment.format(at);
