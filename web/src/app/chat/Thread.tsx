import { useEffect, useMemo, useState } from 'react';
import { t } from '../../i18n';
import { useIsLive } from '../../store/live';
import { versionsOf } from '../../store/tree';
import type { Conversation, Message } from '../../store/types';
import { Icon } from '../ui/Icon';
import { onCommand } from '../view';
import { AnswerView } from './AnswerView';
import { QuestionView } from './QuestionView';
import { useFollow } from './use-follow';

/** Messages drawn in full at once; earlier ones when near the viewport. */
const EAGER_MESSAGES = 4;
/** Messages of a long conversation in the first frame; the others follow. */
const FIRST_MESSAGES = 40;
const MESSAGES_PER_STEP = 120;

export function Thread({ chat, path }: { chat: Conversation; path: Message[] }) {
  const { scroller, inner, atEnd, toEnd } = useFollow();
  const [editing, setEditing] = useState<string | null>(null);
  const live = useIsLive(chat.id);
  const versions = useMemo(() => versionsOf(chat), [chat]);
  const [left, setLeft] = useState(() => path.length - FIRST_MESSAGES);
  // Another branch may be shorter than the one that was opened.
  const hidden = Math.max(0, Math.min(left, path.length - FIRST_MESSAGES));
  const lastQuestion = path.findLast((message) => message.role === 'user')?.id;

  useEffect(
    () =>
      onCommand((name) => {
        if (name === 'edit-last' && lastQuestion) setEditing(lastQuestion);
        if (name === 'bottom') toEnd();
      }),
    [lastQuestion, toEnd],
  );
  // Adding messages above does not scroll: the view follows the end, or the browser anchors it.
  useEffect(() => {
    if (left <= 0) return;
    const later = setTimeout(() => setLeft(left - MESSAGES_PER_STEP), 50);
    return () => clearTimeout(later);
  }, [left]);
  // A sent message is scrolled into view.
  useEffect(() => {
    if (live) toEnd();
  }, [live, toEnd]);

  return (
    <div className="thread-frame">
      <section
        ref={scroller}
        className="thread"
        aria-label={t('chat.messages')}
        aria-busy={live}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
        tabIndex={0}
      >
        <div ref={inner} className="thread-inner">
          {path.slice(hidden).map((message, at) => {
            const i = hidden + at;
            return message.role === 'user' ? (
              <QuestionView
                key={message.id}
                chatId={chat.id}
                message={message}
                version={versions.get(message.id) ?? ''}
                editing={editing === message.id}
                onEdit={setEditing}
                eager={i >= path.length - EAGER_MESSAGES}
              />
            ) : (
              <AnswerView
                key={message.id}
                chatId={chat.id}
                message={message}
                version={versions.get(message.id) ?? ''}
                isLast={i === path.length - 1}
                eager={i >= path.length - EAGER_MESSAGES}
              />
            );
          })}
        </div>
      </section>
      {!atEnd && (
        <button type="button" className="to-end" translate="no" onClick={toEnd}>
          <Icon name="arrowDown" size={15} />
          {live ? t('chat.newText') : t('chat.toEnd')}
        </button>
      )}
    </div>
  );
}
