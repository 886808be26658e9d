import { useSyncExternalStore } from 'react';
import { createStore, type Store } from './create-store';
import type { Message } from './types';

/**
 * Answers streaming in this tab. They change with every frame, so they are kept outside of their
 * conversation: a frame draws one message only.
 */
export interface Live {
  chat: string;
  message: Store<Message>;
  controller: AbortController;
  /** Copies the received text into the conversation. `frozen`: the page stops for now. */
  commit(frozen?: boolean): void;
  /** Ends the run with its page; what was received is kept, with the reason. */
  leave(): void;
}

const runs = new Map<string, Live>();
export const liveCount = createStore(0);

export function beginLive(id: string, live: Live): void {
  runs.set(id, live);
  liveCount.update((n) => n + 1);
}

export function endLive(id: string): void {
  if (runs.delete(id)) liveCount.update((n) => n + 1);
}

export function liveRun(id: string): Live | undefined {
  return runs.get(id);
}

export function isLive(chat: string): boolean {
  return [...runs.values()].some((run) => run.chat === chat);
}

export function liveChats(): Live[] {
  return [...runs.values()];
}

export function stopChat(chat: string): boolean {
  return stopRuns((run) => run.chat === chat);
}

/** Ends runs, and with them their requests. What they received is kept. */
export function stopRuns(which: (run: Live, message: string) => boolean): boolean {
  const ended = [...runs].filter(([message, run]) => which(run, message));
  for (const [, run] of ended) run.controller.abort();
  return ended.length > 0;
}

const never = () => () => {};

/** The current state of a message, streaming or stored. */
export function useLive(message: Message): Message {
  const find = () => runs.get(message.id)?.message;
  const live = useSyncExternalStore(liveCount.subscribe, find);
  const read = live ? live.get : () => message;
  return useSyncExternalStore(live?.subscribe ?? never, read);
}

export function useIsLive(chat: string | null): boolean {
  return useSyncExternalStore(liveCount.subscribe, () => chat !== null && isLive(chat));
}

/** A streaming message without a heartbeat for this long has lost its tab. */
const HEARTBEAT_TIMEOUT_MS = 8000;
/**
 * Of a tab that is hidden. Browsers let its timers run once a minute only (Chrome, "intensive
 * throttling"), and a model that thinks sends nothing.
 */
export const HIDDEN_LEASE_MS = 75_000;

/** When it counts as lost unless there is another heartbeat. */
export const lostAt = ({ beat = 0, lease = 0 }: Message) => beat + lease + HEARTBEAT_TIMEOUT_MS;

export function isLost(message: Message, now = Date.now()): boolean {
  return message.state === 'streaming' && !runs.has(message.id) && now > lostAt(message);
}
