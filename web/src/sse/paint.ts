export interface PaintQueue {
  /** Something changed: `flush` will be called soon, once. */
  mark(): void;
  /** Calls `flush` now if anything is waiting. */
  flush(): void;
  /** Drops what is waiting. */
  stop(): void;
}

/** A hidden tab gets no animation frames, but its history must still be kept. */
const HIDDEN_FLUSH_MS = 250;

/**
 * Bundles changes into one call per animation frame. The first one is passed on
 * at once, so that the first token is not late by a frame.
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
