import { useEffect, useState } from 'react';
import { useStore } from '../store/create';
import { answeredStore, dismiss, noticeStore, spokenStore } from '../store/notices';
import { Icon } from './ui/Icon';

export function Notices() {
  const notices = useStore(noticeStore);
  return (
    <section className="notices" aria-label="Notices">
      {notices.map(({ id, text, action }) => (
        <div key={id} className="notice">
          <span role="status">{text}</span>
          {action && (
            <button
              type="button"
              className="button small"
              onClick={() => {
                action.run();
                dismiss(id);
              }}
            >
              {action.label}
            </button>
          )}
          <button
            type="button"
            className="icon-button"
            aria-label="Dismiss"
            onClick={() => dismiss(id)}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </section>
  );
}

/**
 * Tells a screen reader that an answer begins, goes on and is complete. The
 * text itself is not read out while it grows: it would never stop talking.
 */
export function Announcer() {
  const text = useStore(spokenStore);
  const [shown, setShown] = useState('');
  // Into a region that is already there, else nothing is read.
  useEffect(() => setShown(text), [text]);
  const answer = useStore(answeredStore);
  return (
    <>
      <p className="visually-hidden" role="status">
        {shown}
      </p>
      <div className="visually-hidden" role="log" aria-label="Newest answer">
        {answer}
      </div>
    </>
  );
}
