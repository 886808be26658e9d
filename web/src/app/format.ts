import { isolated, perLanguage, t, wholeNumber } from '../i18n';

/** Numbers, times and money in the user's language. */

const oneDigit = perLanguage(
  (locale) => new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }),
);
const compact = perLanguage((locale) => new Intl.NumberFormat(locale, { notation: 'compact' }));
const list = perLanguage(
  (locale) => new Intl.ListFormat(locale, { type: 'conjunction', style: 'narrow' }),
);

export const count = (n: number) => wholeNumber().format(Math.round(n));
export const oneDecimal = (n: number) => oneDigit().format(n);
export const short = (n: number) => compact().format(n);

/** Without a word for "and". */
export const joined = (names: string[]) => names.join(t('list.comma'));

export const listed = (names: string[]) => list().format(names);

/** The first names, and the number of others. */
export function shortList(names: string[], most = 30): string {
  const more = names.length - most;
  const shown = names.slice(0, most);
  return more > 0 ? t('list.more', { list: joined(shown), n: more }) : listed(shown);
}

export function milliseconds(ms: number): string {
  if (ms < 1000) return t('unit.ms', { n: Math.round(ms) });
  return seconds(ms);
}

export function seconds(ms: number): string {
  if (ms < 60_000) return t('unit.s', { n: oneDecimal(ms / 1000) });
  const whole = Math.round(ms / 1000);
  return t('unit.minS', { n: Math.floor(whole / 60), s: whole % 60 });
}

export function speed(perSecond: number): string {
  return t('unit.speed', { n: perSecond < 10 ? oneDecimal(perSecond) : count(perSecond) });
}

export const percent = (share: number) => t('unit.percent', { n: oneDecimal(share * 100) });

export function money(dollars: number): string {
  const digits = dollars >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(dollars)));
  return inDigits(dollars, dollars === 0 ? 0 : Math.max(2, digits));
}

/** Of a list of prices, with its digits. */
export function price(dollars: string | null): string {
  if (dollars === null) return '?';
  return inDigits(Number(dollars), Math.min(20, dollars.split('.')[1]?.length ?? 0));
}

function inDigits(dollars: number, digits: number): string {
  const text = inDollars()(dollars, {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  // Without the mark of Arabic, which would turn "US$" around.
  return isolated(text.replace('\u200f', ''));
}

const inDollars = perLanguage(
  (locale) => (n: number, options: Intl.NumberFormatOptions) => n.toLocaleString(locale, options),
);

export function bytes(n: number): string {
  if (n < 1024) return t('unit.b', { n });
  if (n < 1024 * 1024) return t('unit.kb', { n: oneDecimal(n / 1024) });
  return t('unit.mb', { n: oneDecimal(n / 1024 / 1024) });
}

const monthFormat = perLanguage(
  (locale) => new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric' }),
);

/** The date heading of a conversation in the list. */
export function dayOf(at: number, now = Date.now()): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const day = 86_400_000;
  if (at >= midnight) return t('list.today');
  if (at >= midnight - day) return t('list.yesterday');
  if (at >= midnight - 7 * day) return t('list.week');
  if (at >= midnight - 30 * day) return t('list.month');
  return monthFormat().format(at);
}

const moment = perLanguage(
  (locale) => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }),
);

export const exactTime = (at: number) => moment().format(at);
