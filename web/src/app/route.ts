import { createStore } from '../store/create-store';

/**
 * The visible conversation, from the URL's hash: a path would break behind a sub-path. Null: a
 * new one.
 */
export const routeStore = createStore<string | null>(null);

export function startRoute(): void {
  const read = () => {
    const match = /^#\/c\/([\w-]+)$/.exec(location.hash);
    routeStore.set(match?.[1] ?? null);
  };
  read();
  addEventListener('hashchange', read);
}

export function goTo(id: string | null): void {
  const hash = id ? `#/c/${id}` : '#/';
  if (location.hash !== hash) location.hash = hash;
  // `hashchange` is asynchronous, and a message may be sent before it.
  routeStore.set(id);
}
