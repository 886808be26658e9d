/** IndexedDB: images and archived conversations. Every function rejects on failure. */
const NAME = 'trunkline';
const STORES = ['images', 'chats'] as const;
export type IdbStore = (typeof STORES)[number];

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    request.onsuccess = () => {
      const db = request.result;
      // A newer page in another tab must not wait until this one is closed.
      db.onversionchange = () => {
        db.close();
        opened = undefined;
      };
      resolve(db);
    };
    request.onerror = () => reject(request.error ?? new Error('IndexedDB cannot be opened'));
    request.onblocked = () => reject(new Error('IndexedDB is blocked by another tab'));
  });
  // Not cached: the next call tries again.
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

async function run<T>(
  store: IdbStore,
  mode: IDBTransactionMode,
  action: (store: IDBObjectStore) => IDBRequest<T> | undefined,
): Promise<T | undefined> {
  const db = await database();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode);
    const request = action(transaction.objectStore(store));
    // Only a completed transaction is durable.
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave up'));
    transaction.onerror = () => reject(transaction.error ?? request?.error);
  });
}

export const idbPut = (store: IdbStore, id: string, value: unknown) =>
  run(store, 'readwrite', (objects) => objects.put(value, id));

/** In one transaction: all or none. */
export const idbPutAll = (store: IdbStore, entries: [string, unknown][]) =>
  run(store, 'readwrite', (objects) => {
    for (const [id, value] of entries) objects.put(value, id);
    return undefined;
  });

export const idbGet = <T>(store: IdbStore, id: string) =>
  run<T | undefined>(store, 'readonly', (objects) => objects.get(id));

export const idbDelete = (store: IdbStore, id: string) =>
  run(store, 'readwrite', (objects) => objects.delete(id));

export const idbKeys = async (store: IdbStore) =>
  ((await run(store, 'readonly', (objects) => objects.getAllKeys())) ?? []).map(String);
