import { useCallback, useSyncExternalStore } from 'react';

export interface Store<T> {
  get(): T;
  set(next: T): void;
  update(change: (now: T) => T): void;
  subscribe(listener: () => void): () => void;
}

/** A value outside of the component tree, with its subscribers. */
export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  const store: Store<T> = {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    update: (change) => store.set(change(value)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return store;
}

/** The store's value, or what `pick` selects of it. */
export function useStore<T>(store: Store<T>): T;
export function useStore<T, R>(store: Store<T>, pick: (value: T) => R): R;
export function useStore<T, R>(store: Store<T>, pick?: (value: T) => R): T | R {
  const snapshot = useCallback(() => {
    const value = store.get();
    return pick ? pick(value) : value;
  }, [store, pick]);
  return useSyncExternalStore(store.subscribe, snapshot);
}
