import { createStore } from '../store/create';

/**
 * The conversation that is shown, from the address's hash: a path would not
 * survive a gateway below a sub-path. Null is a new one.
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
  // At once: `hashchange` comes later, and a message may be sent in between.
  routeStore.set(id);
}
