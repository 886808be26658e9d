/** localStorage that may be absent, denied or full. The page must work in each case. */
export type WriteResult = 'ok' | 'full' | 'unavailable';

export const PREFIX = 'trunkline:';
export const INDEX = `${PREFIX}index`;
export const SETTINGS = `${PREFIX}settings`;

export const chatKey = (id: string) => `${PREFIX}c:${id}`;
export const draftKey = (id: string) => `${PREFIX}d:${id}`;
/** Questions waiting for the end of an answer. */
export const queueKey = (id: string) => `${PREFIX}q:${id}`;
export const badKey = (id: string) => `${PREFIX}bad:${id}`;

export function readItem(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeItem(key: string, value: string): WriteResult {
  try {
    localStorage.setItem(key, value);
    return 'ok';
  } catch (error) {
    return isQuota(error) ? 'full' : 'unavailable';
  }
}

export function removeItem(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // Without storage there is nothing to remove.
  }
}

export function itemKeys(): string[] {
  try {
    return Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i) ?? '').filter(
      (key) => key.startsWith(PREFIX),
    );
  } catch {
    return [];
  }
}

/** The JSON of a key; `bad` if it is invalid. */
export function readJson<T>(
  key: string,
  check: (value: unknown) => value is T,
): T | 'bad' | undefined {
  const raw = readItem(key);
  return raw === null ? undefined : parseJson(raw, check);
}

export function parseJson<T>(raw: string, check: (value: unknown) => value is T): T | 'bad' {
  try {
    const value: unknown = JSON.parse(raw);
    return check(value) ? value : 'bad';
  } catch {
    return 'bad';
  }
}

/** Moves an unreadable value to a key from which Settings can export it. */
export function quarantine(key: string, name: string): void {
  const raw = readItem(key);
  if (raw === null) return;
  // Removed first: a full localStorage has no space for both.
  removeItem(key);
  if (writeItem(badKey(name), raw) !== 'ok') writeItem(key, raw);
}

function isQuota(error: unknown): boolean {
  return (
    error instanceof DOMException &&
    (error.name === 'QuotaExceededError' || error.name === 'NS_ERROR_DOM_QUOTA_REACHED')
  );
}
