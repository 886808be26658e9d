import { useLayoutEffect, useRef } from 'react';
import { afterFrame } from '../frame';

/** Focuses what `next` finds if the focus goes with the component. */
export function useFocusAfter(next: () => HTMLElement | null): void {
  const find = useRef(next);
  find.current = next;
  // Not in an effect after the frame: a key may remove the component before.
  useLayoutEffect(
    () => () => {
      afterFrame(() => {
        if (document.activeElement === document.body) find.current()?.focus();
      });
    },
    [],
  );
}
