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

export function Thread({ chat, path }: { chat: Conversation; path: Message[] }) {
  const { scroller, inner, atEnd, toEnd } = useFollow();
  const [editing, setEditing] = useState<string | null>(null);
  const live = useIsLive(chat.id);
  const versions = useMemo(() => versionsOf(chat), [chat]);
  const lastQuestion = path.findLast((each) => each.role === 'user')?.id;

  useEffect(
    () =>
      onCommand((name) => {
        if (name === 'edit-last' && lastQuestion) setEditing(lastQuestion);
        if (name === 'bottom') toEnd();
      }),
    [lastQuestion, toEnd],
  );
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
          {path.map((message, i) =>
            message.role === 'user' ? (
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
            ),
          )}
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
