/**
 * Loads a module that is not in the first load. In Firefox, one that could not be loaded stays so
 * for as long as the page is open: the map of modules keeps the failure (HTML, "fetch a single
 * module script"), also that of a module which it imports. So nothing is loaded from a gateway that
 * is out of reach, and what failed is loaded anew under an address of its own.
 */
export async function loadModule<M extends object>(load: () => Promise<M>): Promise<M> {
  // A gateway on this machine is in reach without a network, too.
  if (globalThis.navigator?.onLine === false)
    await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' });
  try {
    return await load();
  } catch (error) {
    // Both Firefox and Chromium name the module.
    const url = /\bhttps?:\S+\.js\b/.exec(String(error))?.[0];
    if (!url) throw error;
    return withNames(await import(/* @vite-ignore */ `${url}?again=${Date.now()}`));
  }
}

/** The bundler exports a module that shares its file as an object within that file's exports. */
function withNames<M extends object>(module: M): M {
  const has = (value: unknown, name: PropertyKey): value is object =>
    typeof value === 'object' && value !== null && name in value;
  return new Proxy(module, {
    get(own, name) {
      const holder = name in own ? own : Object.values(own).find((value) => has(value, name));
      return holder && Reflect.get(holder, name);
    },
  });
}
