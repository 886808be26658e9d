/**
 * localStorage with its faults made visible: it may be absent, forbidden or
 * full, and each of these must leave the page working.
 */
export type Written = 'ok' | 'full' | 'unavailable';

export const PREFIX = 'trunkline:';
export const INDEX = `${PREFIX}index`;
export const SETTINGS = `${PREFIX}settings`;

export const chatKey = (id: string) => `${PREFIX}c:${id}`;
export const draftKey = (id: string) => `${PREFIX}d:${id}`;
export const badKey = (id: string) => `${PREFIX}bad:${id}`;

export function readDisk(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeDisk(key: string, value: string): Written {
  try {
    localStorage.setItem(key, value);
    return 'ok';
  } catch (error) {
    return isQuota(error) ? 'full' : 'unavailable';
  }
}

export function dropDisk(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing is kept there then, so nothing needs to go.
  }
}

export function diskKeys(): string[] {
  try {
    return Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i) ?? '').filter(
      (key) => key.startsWith(PREFIX),
    );
  } catch {
    return [];
  }
}

/** JSON of a key; `bad` where it is there but cannot be used. */
export function readJson<T>(
  key: string,
  check: (value: unknown) => value is T,
): T | 'bad' | undefined {
  const raw = readDisk(key);
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

/** Puts a value that cannot be read out of the way, where Settings can still hand it out. */
export function quarantine(key: string, name: string): void {
  const raw = readDisk(key);
  if (raw === null) return;
  // Removed first: a full disk would have no room for both.
  dropDisk(key);
  if (writeDisk(badKey(name), raw) !== 'ok') writeDisk(key, raw);
}

function isQuota(error: unknown): boolean {
  return (
    error instanceof DOMException &&
    (error.name === 'QuotaExceededError' || error.name === 'NS_ERROR_DOM_QUOTA_REACHED')
  );
}
