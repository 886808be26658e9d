import { isObject } from '../validate';
import { idbDelete, idbGet, idbKeys } from './indexed-db';
import { itemKeys, PREFIX, readItem, readJson, writeItem } from './local-storage';

/**
 * Removes images that nothing names: neither a conversation, in whichever tier, nor a draft, a
 * question that waits or a damaged entry. What another tab has not stored yet cannot be seen, so
 * an image goes only after it has been unused for a week.
 */
const ORPHANS = `${PREFIX}orphans`;
const DAY_MS = 86_400_000;
const KEPT_MS = 7 * DAY_MS;

interface Orphans {
  /** Time of the last search: it reads everything, so it is rare. */
  at: number;
  /** Times since which images are known to be unused. */
  since: Record<string, number>;
}

export async function removeOrphans(now = Date.now()): Promise<void> {
  const stored = readJson(ORPHANS, isOrphans);
  const before = stored === undefined || stored === 'bad' ? { at: 0, since: {} } : stored;
  // A clock that was set back must not put it off for ever.
  if (now >= before.at && now - before.at < DAY_MS) return;
  const since: Orphans['since'] = {};
  for (const id of await unusedImages()) {
    const known = before.since[id];
    const first = known !== undefined && known <= now ? known : now;
    if (now - first < KEPT_MS) since[id] = first;
    else await idbDelete('images', id);
  }
  writeItem(ORPHANS, JSON.stringify({ at: now, since } satisfies Orphans));
}

async function unusedImages(): Promise<Set<string>> {
  const unused = new Set(await idbKeys('images'));
  const strike = (raw: string | null | undefined) => {
    for (const [, id] of (raw ?? '').matchAll(/"id":\s*"([^"]+)"/g)) unused.delete(id ?? '');
  };
  if (unused.size === 0) return unused;
  // First the archive: what moves to localStorage meanwhile is found there.
  for (const id of await idbKeys('chats')) {
    if (unused.size === 0) return unused;
    strike(await idbGet<string>('chats', id));
  }
  for (const key of itemKeys()) if (key !== ORPHANS) strike(readItem(key));
  return unused;
}

function isOrphans(value: unknown): value is Orphans {
  return (
    isObject(value) &&
    typeof value.at === 'number' &&
    isObject(value.since) &&
    Object.values(value.since).every((time) => typeof time === 'number')
  );
}
