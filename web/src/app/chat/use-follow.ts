import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** Closer than this to the end, the view goes along with what is added. */
const NEAR = 80;

/** A scroller that stays at its end while the reader is there, and only then. */
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
    // The line below the header belongs to the one scroller right below it.
    const marks = element.classList.contains('thread');
    const onScroll = () => {
      const left = element.scrollHeight - element.scrollTop - element.clientHeight;
      // Growing content moves the end away without a move of the reader's:
      // only a move upwards is one.
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
