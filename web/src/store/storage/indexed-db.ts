/**
 * IndexedDB for what is too big for localStorage: images, and conversations
 * but for the newest. Every call may fail, and says so by rejecting.
 */
const NAME = 'trunkline';
const STORES = ['images', 'chats'] as const;
export type BlobStore = (typeof STORES)[number];

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    request.onsuccess = () => {
      const db = request.result;
      // A newer page in another tab must not wait for this one to be closed.
      db.onversionchange = () => {
        db.close();
        opened = undefined;
      };
      resolve(db);
    };
    request.onerror = () => reject(request.error ?? new Error('IndexedDB cannot be opened'));
    request.onblocked = () => reject(new Error('IndexedDB is blocked by another tab'));
  });
  // A failure is not remembered: the next call tries anew.
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

async function run<T>(
  store: BlobStore,
  mode: IDBTransactionMode,
  action: (store: IDBObjectStore) => IDBRequest<T> | undefined,
): Promise<T | undefined> {
  const db = await database();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode);
    const request = action(transaction.objectStore(store));
    // Only a completed transaction is on disk.
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave up'));
    transaction.onerror = () => reject(transaction.error ?? request?.error);
  });
}

export const putBlob = (store: BlobStore, id: string, value: unknown) =>
  run(store, 'readwrite', (each) => each.put(value, id));

/** All of them or none. */
export const putBlobs = (store: BlobStore, entries: [string, unknown][]) =>
  run(store, 'readwrite', (each) => {
    for (const [id, value] of entries) each.put(value, id);
    return undefined;
  });

export const getBlob = <T>(store: BlobStore, id: string) =>
  run<T | undefined>(store, 'readonly', (each) => each.get(id));

export const dropBlob = (store: BlobStore, id: string) =>
  run(store, 'readwrite', (each) => each.delete(id));

export const blobKeys = async (store: BlobStore) =>
  ((await run(store, 'readonly', (each) => each.getAllKeys())) ?? []).map(String);
