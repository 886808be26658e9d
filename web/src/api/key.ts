import { createStore } from '../store/create';

/**
 * The caller's key. It stays in this tab's session unless the reader asks for
 * more, and is never part of an export.
 */
const NAME = 'trunkline:key';

export const keyStore = createStore(read());

/** The headers that say who is calling. */
export function authHeaders(): Record<string, string> {
  const key = keyStore.get();
  return key ? { authorization: `Bearer ${key}` } : {};
}

export function setKey(key: string, remember: boolean): void {
  clear();
  attempt(() => (remember ? localStorage : sessionStorage).setItem(NAME, key));
  keyStore.set(key);
}

export function forgetKey(): void {
  clear();
  keyStore.set('');
}

function clear(): void {
  attempt(() => localStorage.removeItem(NAME));
  attempt(() => sessionStorage.removeItem(NAME));
}

export function keyIsRemembered(): boolean {
  return attempt(() => localStorage.getItem(NAME) !== null) ?? false;
}

function read(): string {
  return attempt(() => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME)) ?? '';
}

// A browser may refuse storage altogether. The key then lasts until a reload.
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
