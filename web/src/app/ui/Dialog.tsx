import { type ReactNode, useLayoutEffect, useRef } from 'react';
import { Icon } from './Icon';

interface Props {
  title: string;
  onClose: () => void;
  className?: string;
  /** Without the head, for dialogs with a field at the top. */
  bare?: boolean;
  children: ReactNode;
}

/** A native modal dialog: traps focus, closes on Escape and on the backdrop. */
export function Dialog({ title, onClose, className = '', bare, children }: Props) {
  const self = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = self.current;
    const back = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (back instanceof HTMLElement && back.isConnected) back.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the backdrop is for pointers; Escape closes as well.
    <dialog
      ref={self}
      className={`dialog ${className}`}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === self.current) self.current?.close();
      }}
    >
      <div className="dialog-body">
        {!bare && (
          <header className="dialog-head">
            <h2>{title}</h2>
            <button
              type="button"
              className="icon-button"
              aria-label="Close"
              onClick={() => self.current?.close()}
            >
              <Icon name="close" />
            </button>
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}
