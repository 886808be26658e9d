import { useSyncExternalStore } from 'react';
import { createStore, type Store } from './create';
import type { Message } from './types';

/**
 * Answers that are being written in this tab. They change with every frame, so
 * they live outside of their conversation: only the message itself is drawn anew.
 */
export interface Live {
  chat: string;
  message: Store<Message>;
  controller: AbortController;
  /** Puts what has arrived into the conversation. */
  commit(): void;
}

const runs = new Map<string, Live>();
/** Changes whenever an answer begins or ends. */
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
  const mine = liveChats().filter((run) => run.chat === chat);
  for (const run of mine) run.controller.abort();
  return mine.length > 0;
}

const never = () => () => {};

/** The newest state of a message, whether it is being written or not. */
export function useLive(message: Message): Message {
  const find = () => runs.get(message.id)?.message;
  const live = useSyncExternalStore(liveCount.subscribe, find);
  const read = live ? live.get : () => message;
  return useSyncExternalStore(live?.subscribe ?? never, read);
}

export function useIsLive(chat: string | null): boolean {
  return useSyncExternalStore(liveCount.subscribe, () => chat !== null && isLive(chat));
}

/** Written by another tab that is still alive. */
export const BEAT_LOST_MS = 8000;

export function isLost(message: Message, now = Date.now()): boolean {
  return (
    message.state === 'streaming' &&
    !runs.has(message.id) &&
    now - (message.beat ?? 0) > BEAT_LOST_MS
  );
}
