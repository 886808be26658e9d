import { gatewayUrl } from '../api/base';
import { applyStatus } from '../api/gateway';
import { authHeaders, keyStore } from '../api/key';
import type { GatewayStatus, StatusChange } from '../api/types';
import { readEvents } from '../sse';
import { createStore } from '../store/create-store';
import { applyChange } from './change';
import { addPoint, type Point } from './series';

/**
 * `key`: a client key is required. `absent`: the gateway has no status. `paused`: the tab is
 * hidden.
 */
export type FeedPhase = 'connecting' | 'live' | 'waiting' | 'paused' | 'key' | 'absent';

export interface Feed {
  phase: FeedPhase;
  status: GatewayStatus | null;
  points: Point[];
  /** Time of the next attempt while waiting. */
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
/** The gateway sends an event per second; a silence this long means a dead connection. */
const SILENCE_MS = 8000;

/**
 * Streams the gateway's status while the tab is visible. By `fetch`, since an EventSource cannot
 * send a key. Returns the function that stops it.
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

  const connect = async () => {
    stop('connecting');
    const controller = new AbortController();
    running = controller;
    const phase = await readStream(controller, () => {
      wait = FIRST_WAIT_MS;
    });
    // A later connect or stop replaced this one.
    if (running !== controller) return;
    running = undefined;
    if (phase === 'key' || phase === 'absent') {
      patch({ phase, retryAt: null });
      return;
    }
    patch({ phase: 'waiting', retryAt: Date.now() + wait });
    timer = setTimeout(connect, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  };

  const onVisibility = () => {
    if (document.visibilityState === 'visible') void connect();
    else stop('paused');
  };
  const online = () => {
    if (!running) onVisibility();
  };

  document.addEventListener('visibilitychange', onVisibility);
  addEventListener('online', online);
  const unsubscribe = keyStore.subscribe(onVisibility);
  onVisibility();
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    removeEventListener('online', online);
    unsubscribe();
    stop('paused');
  };
}

/** Reads one connection to its end and returns the next phase. */
async function readStream(controller: AbortController, onEvent: () => void): Promise<FeedPhase> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const resetSilence = () => {
    clearTimeout(silence);
    silence = setTimeout(() => controller.abort(), SILENCE_MS);
  };
  try {
    resetSilence();
    const response = await fetch(gatewayUrl('trunkline/status/events'), {
      headers: { accept: 'text/event-stream', ...authHeaders() },
      cache: 'no-store',
      signal: controller.signal,
    });
    if (response.status === 401 || response.status === 403) return 'key';
    if (response.status === 404) return 'absent';
    if (!response.ok || !response.body) return 'waiting';
    let status: GatewayStatus | undefined;
    for await (const event of readEvents(response.body, resetSilence)) {
      const update = parse(event.data);
      if (!update) continue;
      if (event.event !== 'change') status = { ...update, recent: update.recent ?? [] };
      // A connection starts with a full status: there is nothing to change before it.
      else if (status) status = applyChange(status, update);
      if (!status) continue;
      onEvent();
      publish(status);
    }
  } catch {
    // Any failure has the same consequence: retry.
  } finally {
    clearTimeout(silence);
  }
  return 'waiting';
}

function publish(status: GatewayStatus): void {
  const now = feedStore.get();
  feedStore.set({
    phase: 'live',
    status,
    points: addPoint(now.points, now.status, status),
    retryAt: null,
  });
  // Updates the model picker and the start page without a poll.
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
