import { type ReactNode, useLayoutEffect, useRef } from 'react';
import { t } from '../../i18n';
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
  const closed = useRef(onClose);
  closed.current = onClose;
  useLayoutEffect(() => {
    const element = self.current;
    const back = document.activeElement;
    // In Firefox, the event of a dialog that is being removed comes after what is opened next.
    const onClosed = () => closed.current();
    element?.addEventListener('close', onClosed);
    element?.showModal();
    return () => {
      element?.removeEventListener('close', onClosed);
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
              aria-label={t('ui.close')}
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
