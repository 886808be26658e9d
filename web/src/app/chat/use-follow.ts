import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** Pixels from the end within which the view follows new text. */
const NEAR = 80;

/** A scroller that follows its end while the user is there. */
export function useFollow() {
  const scroller = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [atEnd, setAtEnd] = useState(true);

  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    following.current = true;
    element.scrollTop = element.scrollHeight;
    setAtEnd(true);
  }, []);

  useLayoutEffect(toEnd, [toEnd]);
  useEffect(() => {
    const element = scroller.current;
    const content = inner.current;
    if (!element || !content) return;
    let last = element.scrollTop;
    // The header's border depends on this scroller only.
    const marks = element.classList.contains('thread');
    const onScroll = () => {
      const left = element.scrollHeight - element.scrollTop - element.clientHeight;
      // Growing content increases the distance as well: only scrolling up stops following.
      if (left <= NEAR) following.current = true;
      else if (element.scrollTop < last) following.current = false;
      last = element.scrollTop;
      setAtEnd(left <= NEAR || following.current);
      if (marks) element.closest('.main')?.toggleAttribute('data-scrolled', element.scrollTop > 4);
    };
    const sizes = new ResizeObserver(() => {
      if (following.current) element.scrollTop = element.scrollHeight;
    });
    sizes.observe(content);
    sizes.observe(element);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener('scroll', onScroll);
      element.closest('.main')?.removeAttribute('data-scrolled');
    };
  }, []);
  return { scroller, inner, atEnd, toEnd };
}
