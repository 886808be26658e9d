import { useEffect, useMemo, useState } from 'react';
import { useIsLive } from '../../store/live';
import { versionsOf } from '../../store/tree';
import type { Conversation, Message } from '../../store/types';
import { Icon } from '../ui/Icon';
import { onCommand } from '../view';
import { AnswerView } from './AnswerView';
import { QuestionView } from './QuestionView';
import { useFollow } from './useFollow';

/** These are drawn in full at once; earlier ones when they come near the screen. */
const LAST = 4;
/** Of a long conversation this many come with the first frame, the others behind it. */
const FIRST = 40;
const MORE = 120;

export function Thread({ chat, path }: { chat: Conversation; path: Message[] }) {
  const { scroller, inner, atEnd, toEnd } = useFollow();
  const [editing, setEditing] = useState<string | null>(null);
  const live = useIsLive(chat.id);
  const versions = useMemo(() => versionsOf(chat), [chat]);
  const [left, setLeft] = useState(() => path.length - FIRST);
  // Another branch may be shorter than the one that was opened.
  const hidden = Math.max(0, Math.min(left, path.length - FIRST));
  const lastQuestion = path.findLast((each) => each.role === 'user')?.id;

  useEffect(
    () =>
      onCommand((name) => {
        if (name === 'edit-last' && lastQuestion) setEditing(lastQuestion);
        if (name === 'bottom') toEnd();
      }),
    [lastQuestion, toEnd],
  );
  // What is added above moves nothing: the view follows the end, or the
  // browser holds on to what is in it.
  useEffect(() => {
    if (left <= 0) return;
    const later = setTimeout(() => setLeft(left - MORE), 50);
    return () => clearTimeout(later);
  }, [left]);
  // What was just sent is to be seen, wherever the reader was.
  useEffect(() => {
    if (live) toEnd();
  }, [live, toEnd]);

  return (
    <div className="thread-frame">
      <section
        ref={scroller}
        className="thread"
        aria-label="Messages"
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
                eager={i >= path.length - LAST}
              />
            ) : (
              <AnswerView
                key={message.id}
                chatId={chat.id}
                message={message}
                version={versions.get(message.id) ?? ''}
                isLast={i === path.length - 1}
                eager={i >= path.length - LAST}
              />
            );
          })}
        </div>
      </section>
      {!atEnd && (
        <button type="button" className="to-end" onClick={toEnd}>
          <Icon name="arrowDown" size={15} />
          {live ? 'New text' : 'To the end'}
        </button>
      )}
    </div>
  );
}
