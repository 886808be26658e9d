import { gatewayUrl } from '../api/base';
import { applyStatus } from '../api/gateway';
import { authHeaders, keyStore } from '../api/key';
import type { GatewayStatus, StatusChange } from '../api/types';
import { readEvents } from '../sse';
import { createStore } from '../store/create';
import { changed } from './change';
import { grow, type Point } from './series';

/** `key`: the gateway wants one. `absent`: it has no status. `paused`: nobody looks. */
export type FeedPhase = 'connecting' | 'live' | 'waiting' | 'paused' | 'key' | 'absent';

export interface Feed {
  phase: FeedPhase;
  status: GatewayStatus | null;
  points: Point[];
  /** When the next try is due, while waiting. */
  retryAt: number | null;
}

export const feedStore = createStore<Feed>({
  phase: 'connecting',
  status: null,
  points: [],
  retryAt: null,
});

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** Events come every second; a silence like this is a dead connection. */
const SILENCE_MS = 8000;

/**
 * Follows the gateway's status while the tab is visible, over `fetch`, since
 * an EventSource cannot send a key. Returns what ends it.
 */
export function startFeed(): () => void {
  let running: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = FIRST_WAIT_MS;

  const stop = (phase: FeedPhase) => {
    clearTimeout(timer);
    running?.abort();
    running = undefined;
    patch({ phase, retryAt: null });
  };

  const begin = async () => {
    stop('connecting');
    const controller = new AbortController();
    running = controller;
    const phase = await follow(controller, () => {
      wait = FIRST_WAIT_MS;
    });
    // A later begin or stop has taken over.
    if (running !== controller) return;
    running = undefined;
    if (phase === 'key' || phase === 'absent') {
      patch({ phase, retryAt: null });
      return;
    }
    patch({ phase: 'waiting', retryAt: Date.now() + wait });
    timer = setTimeout(begin, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  };

  const look = () => {
    if (document.visibilityState === 'visible') void begin();
    else stop('paused');
  };
  const online = () => {
    if (!running) look();
  };

  document.addEventListener('visibilitychange', look);
  addEventListener('online', online);
  const unsubscribe = keyStore.subscribe(look);
  look();
  return () => {
    document.removeEventListener('visibilitychange', look);
    removeEventListener('online', online);
    unsubscribe();
    stop('paused');
  };
}

/** Reads one connection to its end, and says how things stand after it. */
async function follow(controller: AbortController, onEvent: () => void): Promise<FeedPhase> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => controller.abort(), SILENCE_MS);
  };
  try {
    heard();
    const response = await fetch(gatewayUrl('trunkline/status/events'), {
      headers: { accept: 'text/event-stream', ...authHeaders() },
      cache: 'no-store',
      signal: controller.signal,
    });
    if (response.status === 401 || response.status === 403) return 'key';
    if (response.status === 404) return 'absent';
    if (!response.ok || !response.body) return 'waiting';
    let status: GatewayStatus | undefined;
    for await (const event of readEvents(response.body, heard)) {
      const told = parse(event.data);
      if (!told) continue;
      if (event.event !== 'change') status = { ...told, recent: told.recent ?? [] };
      // A connection begins with the whole: before it there is nothing to change.
      else if (status) status = changed(status, told);
      if (!status) continue;
      onEvent();
      take(status);
    }
  } catch {
    // Whatever broke it, the answer is the same: try again.
  } finally {
    clearTimeout(silence);
  }
  return 'waiting';
}

function take(status: GatewayStatus): void {
  const now = feedStore.get();
  feedStore.set({
    phase: 'live',
    status,
    points: grow(now.points, now.status, status),
    retryAt: null,
  });
  // The model picker and the start page know it then as well, without asking.
  applyStatus(status);
}

function patch(change: Partial<Feed>): void {
  feedStore.update((now) => ({ ...now, ...change }));
}

function parse(data: string): StatusChange | null {
  try {
    const value = JSON.parse(data);
    return Array.isArray(value?.models) && Array.isArray(value.providers) ? value : null;
  } catch {
    return null;
  }
}
