export interface PaintQueue {
  /** Schedules one call of `flush`. */
  mark(): void;
  /** Calls `flush` now if one is scheduled. */
  flush(): void;
  /** Cancels a scheduled call. */
  stop(): void;
}

/** A hidden tab gets no animation frames, but its text must still be saved. */
const HIDDEN_FLUSH_MS = 250;

/**
 * Batches changes into one call per animation frame. The first one is immediate, so that the
 * first token is not delayed by a frame.
 */
export function createPaintQueue(flush: () => void): PaintQueue {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let first = true;
  const clear = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    timer = undefined;
  };
  const run = () => {
    clear();
    flush();
  };
  return {
    mark() {
      if (first) {
        first = false;
        flush();
        return;
      }
      if (timer !== undefined) return;
      timer = setTimeout(run, HIDDEN_FLUSH_MS);
      frame = requestAnimationFrame(run);
    },
    flush() {
      if (timer !== undefined) run();
    },
    stop: clear,
  };
}
