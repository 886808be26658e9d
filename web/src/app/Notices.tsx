import { useEffect, useState } from 'react';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import { announcementStore, dismiss, finishedAnswerStore, noticeStore } from '../store/notices';
import { Icon } from './ui/Icon';

export function Notices() {
  const notices = useStore(noticeStore);
  return (
    <section className="notices" aria-label={t('app.notices')}>
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
            aria-label={t('app.dismiss')}
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
 * Announces the start, progress and end of an answer to screen readers. The growing text is not
 * read out: it would never stop.
 */
export function Announcer() {
  const text = useStore(announcementStore);
  const [shown, setShown] = useState('');
  // A live region announces changes only, so it must exist before the text.
  useEffect(() => setShown(text), [text]);
  const answer = useStore(finishedAnswerStore);
  return (
    <>
      <p className="visually-hidden" role="status" translate="no">
        {shown}
      </p>
      <div className="visually-hidden" role="log" aria-label={t('app.newestAnswer')} translate="no">
        {answer}
      </div>
    </>
  );
}
