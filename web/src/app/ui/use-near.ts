import { type RefObject, useEffect, useRef, useState } from 'react';

const waiting = new WeakMap<Element, () => void>();
let watcher: IntersectionObserver | undefined;

/** One watcher for all: a thousand of them would take longer than what they save. */
function watch(element: Element, onNear: () => void): () => void {
  watcher ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) waiting.get(target)?.();
    },
    { rootMargin: '1200px' },
  );
  const each = watcher;
  waiting.set(element, onNear);
  each.observe(element);
  return () => {
    waiting.delete(element);
    each.unobserve(element);
  };
}

/** True once the element has been near the screen, or from the start. */
export function useNear(eager: boolean): [RefObject<HTMLElement | null>, boolean] {
  const self = useRef<HTMLElement>(null);
  const [near, setNear] = useState(eager);
  useEffect(() => {
    if (near || !self.current) return;
    return watch(self.current, () => setNear(true));
  }, [near]);
  return [self, near];
}
