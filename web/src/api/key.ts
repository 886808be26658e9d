import { createStore } from '../store/create-store';

/**
 * The client key: in sessionStorage, or in localStorage if the user chooses so. Never part of an
 * export.
 */
const NAME = 'trunkline:key';

export const keyStore = createStore(read());

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

// The browser may deny storage. The key then lasts until a reload.
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
