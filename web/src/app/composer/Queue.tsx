import { t } from '../../i18n';
import { type Draft, sendQueued } from '../../store/actions';
import { useStore } from '../../store/create-store';
import { dequeue, type Queued, queueOf, replaceQueued } from '../../store/queue';
import { joined } from '../format';
import { Icon } from '../ui/Icon';
import { command, isTouch } from '../view';
import { setDraft } from './draft';

interface Props {
  chatId: string;
  live: boolean;
  /** What is in the message field. */
  draft: Draft;
}

/** Questions that are sent one after the other, each after an answer that ended well. */
export function Queue({ chatId, live, draft }: Props) {
  const queued = useStore(queueOf(chatId));
  if (queued.length === 0) return null;
  const edit = ({ id, text, attachments }: Queued) => {
    // The question takes the field, and what was in the field its turn.
    if (draft.text.trim() || draft.attachments.length > 0) replaceQueued(chatId, id, draft);
    else dequeue(chatId, id);
    setDraft(chatId, { text, attachments });
  };
  // The button is gone with its question, and the focus with it.
  const takeOut = (run: () => void) => {
    run();
    if (!isTouch()) command('focus-composer');
  };
  return (
    <ol className="queue" aria-label={t('queue.label')}>
      {queued.map((entry, i) => (
        <li key={entry.id}>
          <Icon name="clock" size={14} />
          <span className="grow ellipsis" dir="auto" title={entry.text}>
            {entry.text || joined(entry.attachments.map((file) => file.name))}
          </span>
          {!live && i === 0 && (
            <button
              type="button"
              className="button small"
              onClick={() => takeOut(() => sendQueued(chatId, entry.id))}
            >
              {t('queue.sendNow')}
            </button>
          )}
          <button
            type="button"
            className="icon-button"
            aria-label={t('queue.edit', { n: i + 1 })}
            title={t('ui.edit')}
            onClick={() => edit(entry)}
          >
            <Icon name="edit" size={14} />
          </button>
          <button
            type="button"
            className="icon-button"
            aria-label={t('queue.remove', { n: i + 1 })}
            title={t('ui.remove')}
            onClick={() => takeOut(() => dequeue(chatId, entry.id))}
          >
            <Icon name="close" size={14} />
          </button>
        </li>
      ))}
    </ol>
  );
}
