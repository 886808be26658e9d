import { type RefObject, useEffect, useRef, useState } from 'react';

/** True once the element has been near the screen, or from the start. */
export function useNear(eager: boolean): [RefObject<HTMLElement | null>, boolean] {
  const self = useRef<HTMLElement>(null);
  const [near, setNear] = useState(eager);
  useEffect(() => {
    const element = self.current;
    if (near || !element) return;
    const watcher = new IntersectionObserver(
      (entries) => {
        if (entries.some((each) => each.isIntersecting)) setNear(true);
      },
      { rootMargin: '1200px' },
    );
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [near]);
  return [self, near];
}
