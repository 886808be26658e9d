/** The browser APIs that the store uses: a localStorage with a quota, and events. */
export class FakeStorage implements Storage {
  readonly entries = new Map<string, string>();
  /** Quota in characters. */
  room = Number.POSITIVE_INFINITY;

  get length(): number {
    return this.entries.size;
  }

  key(index: number): string | null {
    return [...this.entries.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.entries.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    const others = [...this.entries].filter(([name]) => name !== key);
    const used = others.reduce((n, [k, v]) => n + k.length + v.length, 0);
    if (used + key.length + value.length > this.room) {
      throw new DOMException('full', 'QuotaExceededError');
    }
    this.entries.set(key, value);
  }

  removeItem(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }
}

export function install(): { local: FakeStorage; session: FakeStorage } {
  const local = new FakeStorage();
  const session = new FakeStorage();
  Object.assign(globalThis, { localStorage: local, sessionStorage: session });
  return { local, session };
}
