import { createElement, Fragment, type ReactNode } from 'react';
import type english from './messages/en';

/** A text, or its forms by plural category (see Intl.PluralRules) of the value `n`. */
export type Message = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);

export type Key = keyof typeof english;

/** What a language has: a text of its own for each key. */
export type Messages = Record<Key, Message>;

type Text<K extends Key> = (typeof english)[K] extends { other: infer S } ? S : (typeof english)[K];
type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Values<K extends Key, V> = [Names<Text<K>>] extends [never]
  ? (typeof english)[K] extends string
    ? []
    : [values: { n: number }]
  : [values: Record<Names<Text<K>>, V>];

/** The texts of the language that is drawn, by number; English without any. */
let texts: readonly Message[] = [];
let tag = 'en';
let isolates = false;

/** `locale`: for numbers and dates, such as `de-CH`. */
export function setTexts(next: readonly Message[], locale: string, isRtl: boolean): void {
  texts = next;
  tag = locale;
  isolates = isRtl;
}

/** A value made anew when the language changes. */
export function perLanguage<T>(make: (locale: string) => T): () => T {
  let of = '';
  let made: T;
  return () => {
    if (of !== tag) made = make(tag);
    of = tag;
    return made;
  };
}

const rules = perLanguage((locale) => new Intl.PluralRules(locale));
export const wholeNumber = perLanguage((locale) => new Intl.NumberFormat(locale));

/**
 * The text of a key in the user's language. `vite/messages.ts` replaces the key, which must be a
 * literal, by its number and English text: so English needs no table, each part of the page brings
 * its own texts, and the other languages need no keys.
 */
export function t<K extends Key>(key: K, ...values: Values<K, string | number>): string;
export function t(number: unknown, english?: unknown, values?: unknown): string {
  const text = parts(number, english, values).map(shown).join('');
  // Isolates have no direction: as a value of another text, it would have none but for the mark.
  return isolates && values ? `\u200f${text}` : text;
}

/** As `t`, with elements as values. */
export function rich<K extends Key>(key: K, ...values: Values<K, ReactNode>): ReactNode;
export function rich(number: unknown, english?: unknown, values?: unknown): ReactNode {
  return createElement(Fragment, null, ...parts(number, english, values));
}

/** The text cut at its values: each odd part is one. */
function parts(number: unknown, english: unknown, values: unknown): ReactNode[] {
  const known = (values ?? {}) as Record<string, ReactNode>;
  const message = texts[number as number] ?? (english as Message);
  const text =
    typeof message === 'string'
      ? message
      : (message[rules().select(known.n as number)] ?? message.other);
  return text.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? known[part] : part));
}

function shown(part: ReactNode, i: number): string {
  if (typeof part === 'number') return wholeNumber().format(part);
  return i % 2 ? isolated(`${part}`) : `${part}`;
}

/** A name or figure, which must neither reorder a text from right to left, nor be reordered by it. */
export function isolated(text: string): string {
  return isolates ? `\u2068${text}\u2069` : text;
}
