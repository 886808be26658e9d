import { type RefObject, useEffect, useRef, useState } from 'react';

const callbacks = new Map<Element, () => void>();
let shared: IntersectionObserver | undefined;

/** One observer for all: a thousand of them would cost more than they save. */
function watch(element: Element, onNear: () => void): () => void {
  shared ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        if (isIntersecting) callbacks.get(target)?.();
    },
    { rootMargin: '1200px' },
  );
  const observer = shared;
  callbacks.set(element, onNear);
  observer.observe(element);
  return () => {
    callbacks.delete(element);
    observer.unobserve(element);
  };
}

/** True from the first time that the element is near the viewport; with `eager` from the start. */
export function useNear<T extends Element = HTMLElement>(
  eager = false,
): [RefObject<T | null>, boolean] {
  const ref = useRef<T>(null);
  const [near, setNear] = useState(eager);
  useEffect(() => {
    if (near || !ref.current) return;
    return watch(ref.current, () => setNear(true));
  }, [near]);
  return [ref, near];
}
