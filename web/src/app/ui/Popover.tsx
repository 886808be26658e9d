import { type ReactNode, type RefObject, useLayoutEffect, useRef, useState } from 'react';

const GAP = 6;
const EDGE = 8;

let presses = 0;
if (typeof document !== 'undefined')
  document.addEventListener('pointerdown', () => presses++, { capture: true });

/** State of a popover, with a button that toggles it. */
export function usePopover() {
  const anchor = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const closedBy = useRef(-1);
  const close = () => {
    closedBy.current = presses;
    setOpen(false);
  };
  const toggle = (event?: { detail: number }) => {
    // A press outside closes the popover. If that press is on its own button, it must not reopen
    // it. Keyboard events (detail 0) press nothing.
    if (closedBy.current !== presses || event?.detail === 0) setOpen((now) => !now);
  };
  return { anchor, open, setOpen, close, toggle };
}

interface Props {
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
  label: string;
  className?: string;
  align?: 'start' | 'end';
  role?: string;
  children: ReactNode;
}

/**
 * A native popover beside its button: the browser provides the top layer, Escape and light
 * dismiss. On a phone the styles make it a sheet.
 */
export function Popover({ anchor, onClose, label, className = '', align, role, children }: Props) {
  const self = useRef<HTMLDivElement>(null);
  const done = useRef(onClose);
  done.current = onClose;

  useLayoutEffect(() => {
    const element = self.current;
    if (!element) return;
    // In the layout effect and on `beforetoggle`: a key pressed before a later effect or event
    // would close the popover unnoticed, and the next press on its button would not open it.
    const onBeforeToggle = (event: Event) => {
      if ((event as ToggleEvent).newState === 'closed') done.current();
    };
    element.addEventListener('beforetoggle', onBeforeToggle);
    element.showPopover();
    const reposition = () => anchor.current && beside(element, anchor.current, align ?? 'start');
    reposition();
    const sizes = new ResizeObserver(reposition);
    sizes.observe(element);
    addEventListener('resize', reposition);
    return () => {
      element.removeEventListener('beforetoggle', onBeforeToggle);
      sizes.disconnect();
      removeEventListener('resize', reposition);
      // The focused element is removed with the popover: focus its button.
      const opener = anchor.current;
      requestAnimationFrame(() => {
        if (document.activeElement === document.body) opener?.focus();
      });
    };
  }, [anchor, align]);

  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role is always one that is named
    <div
      ref={self}
      popover="auto"
      className={`popover ${className}`}
      role={role ?? 'dialog'}
      aria-label={label}
    >
      {children}
    </div>
  );
}

function beside(element: HTMLElement, anchor: HTMLElement, align: 'start' | 'end'): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const rtl = getComputedStyle(anchor).direction === 'rtl';
  const fromLeft = (align === 'start') !== rtl ? at.left : at.right - width;
  const below = at.bottom + GAP;
  const fits = below + height <= innerHeight - EDGE;
  const top = fits ? below : Math.max(EDGE, at.top - GAP - height);
  element.style.left = `${Math.max(EDGE, Math.min(fromLeft, innerWidth - width - EDGE))}px`;
  element.style.top = `${top}px`;
}
