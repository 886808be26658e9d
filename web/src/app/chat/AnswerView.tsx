import { memo, useEffect } from 'react';
import { t } from '../../i18n';
import { loadModule } from '../../load-module';
import { Markdown } from '../../markdown';
import { markInterrupted } from '../../store/answer';
import { isLost, lostAt, useLive } from '../../store/live';
import type { Message } from '../../store/types';
import { lazyPart } from '../ui/lazy-part';
import { useNear } from '../ui/use-near';
import { AnswerActions } from './AnswerActions';
import { ErrorCard } from './ErrorCard';
import { MetaLine } from './MetaLine';
import { Reasoning } from './Reasoning';
import { ToolCards } from './ToolCards';

const ToolResults = lazyPart(
  () => loadModule(() => import('./ToolResults')).then((m) => m.ToolResults),
  {
    quiet: true,
  },
);

interface Props {
  chatId: string;
  message: Message;
  version: string;
  isLast: boolean;
  eager: boolean;
  /** Without the model's name, which a lane shows already. */
  bare?: boolean;
}

export const AnswerView = memo(function AnswerView(props: Props) {
  const { chatId, message: kept, version, isLast, eager, bare } = props;
  const message = useLive(kept);
  const [self, near] = useNear(eager);
  const streaming = message.state === 'streaming';
  const waiting = streaming && !message.text && !message.reasoning && !message.toolCalls;

  useEffect(() => {
    if (kept.state !== 'streaming') return;
    // Streaming in another tab, or lost with it: its heartbeat tells.
    const check = () => isLost(kept) && markInterrupted(chatId, kept.id);
    check();
    const timer = setTimeout(check, Math.max(0, lostAt(kept) - Date.now()) + 500);
    return () => clearTimeout(timer);
  }, [chatId, kept]);

  return (
    <article
      ref={self}
      className={`answer ${message.state}`}
      data-message={message.id}
      tabIndex={-1}
      aria-label={message.model ? t('answer.of', { model: message.model }) : t('answer.ofUnknown')}
      aria-busy={streaming}
    >
      <h2 className={bare ? 'visually-hidden' : 'answer-model'}>{message.model}</h2>
      {message.reasoning && <Reasoning message={message} />}
      {message.text &&
        (near ? (
          <div className="prose">
            <Markdown text={message.text} streaming={streaming} />
          </div>
        ) : (
          // Not near the viewport yet: plain text, so that the browser's search finds it.
          <div className="prose plain" dir="auto">
            {message.text}
          </div>
        ))}
      {message.toolCalls && <ToolCards calls={message.toolCalls} streaming={streaming} />}
      {message.toolCalls && isLast && message.state === 'done' && (
        <ToolResults chatId={chatId} answer={message} calls={message.toolCalls} />
      )}
      {waiting && <Waiting />}
      {message.fault && <ErrorCard chatId={chatId} message={message} fault={message.fault} />}
      {near && <MetaLine message={message} />}
      {near && !streaming && (
        <AnswerActions chatId={chatId} message={message} version={version} isLast={isLast} />
      )}
    </article>
  );
});

function Waiting() {
  return (
    <p className="waiting">
      <span className="visually-hidden">{t('answer.waiting')}</span>
      <span className="waiting-bar" aria-hidden="true" />
    </p>
  );
}
