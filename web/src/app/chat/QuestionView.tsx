import { memo, useState } from 'react';
import { t } from '../../i18n';
import { deleteMessage, edit, undelete } from '../../store/actions';
import { notify } from '../../store/notices';
import type { Message } from '../../store/types';
import { Attachments } from '../composer/Attachments';
import { draftOf, keepDraft, readDraft } from '../composer/draft';
import { exactTime } from '../format';
import { CopyButton } from '../ui/CopyButton';
import { Icon } from '../ui/Icon';
import { useFocusAfter } from '../ui/use-focus-after';
import { useNear } from '../ui/use-near';
import { isTouch } from '../view';
import { Branches } from './Branches';
import { QuestionTexts } from './QuestionText';

interface Props {
  chatId: string;
  message: Message;
  version: string;
  editing: boolean;
  onEdit: (id: string | null) => void;
  eager: boolean;
}

export const QuestionView = memo(function QuestionView(props: Props) {
  const { chatId, message, version, editing, onEdit, eager } = props;
  const [self, near] = useNear(eager);
  return (
    <article
      ref={self}
      className="question"
      data-message={message.id}
      tabIndex={-1}
      aria-label={t('question.label')}
    >
      <h2 className="visually-hidden">{t('question.head', { time: exactTime(message.at) })}</h2>
      {editing ? (
        <Editor chatId={chatId} message={message} onDone={() => onEdit(null)} />
      ) : (
        <>
          {near && <Attachments files={message.attachments ?? []} />}
          <QuestionTexts message={message} />
          <div className="actions">
            {near && (
              <>
                <Branches chatId={chatId} message={message} version={version} />
                <CopyButton text={() => textOf(message)} label={t('question.copy')} />
                {!message.toolResults && (
                  <button
                    type="button"
                    className="icon-button"
                    data-edit
                    aria-label={t('question.edit')}
                    title={t('ui.edit')}
                    onClick={() => onEdit(message.id)}
                  >
                    <Icon name="edit" size={16} />
                  </button>
                )}
                <button
                  type="button"
                  className="icon-button"
                  aria-label={t('question.delete')}
                  title={t('ui.delete')}
                  onClick={() => remove(chatId, message)}
                >
                  <Icon name="trash" size={16} />
                </button>
              </>
            )}
          </div>
        </>
      )}
    </article>
  );
});

/** Deletes a message and its descendants, with undo. */
export function remove(chatId: string, message: Message): void {
  const before = deleteMessage(chatId, message.id);
  if (!before) return;
  notify(t('question.deleted'), { label: t('ui.undo'), run: () => undelete(before) });
}

interface EditorProps {
  chatId: string;
  message: Message;
  onDone: () => void;
}

function Editor({ chatId, message, onDone }: EditorProps) {
  const key = draftOf(chatId, message.id);
  const [text, setText] = useState(() => readDraft(key).text || message.text);
  const change = (next: string) => {
    setText(next);
    keepDraft(key, { text: next === message.text ? '' : next, attachments: [] });
  };
  const end = () => {
    keepDraft(key, { text: '', attachments: [] });
    onDone();
  };
  const button = `[data-message="${CSS.escape(message.id)}"] [data-edit]`;
  useFocusAfter(
    // Another version takes the place of one that was edited.
    () =>
      document.querySelector<HTMLElement>(button) ??
      (isTouch() ? null : document.getElementById('composer')),
  );
  const send = () => {
    end();
    if (text.trim())
      edit(chatId, message, { text: text.trim(), attachments: message.attachments ?? [] });
  };
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        className="field"
        dir="auto"
        aria-label={t('question.edit')}
        rows={Math.min(10, text.split('\n').length + 1)}
        value={text}
        ref={(area: HTMLTextAreaElement | null) => {
          if (area && !area.dataset.ready) {
            area.dataset.ready = 'yes';
            area.focus();
            area.setSelectionRange(area.value.length, area.value.length);
          }
        }}
        onInput={(event) => change(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') end();
          if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault();
            send();
          }
        }}
      />
      <div className="editor-row">
        <span className="hint grow">{t('question.branch')}</span>
        <button type="button" className="button" onClick={end}>
          {t('ui.cancel')}
        </button>
        <button type="submit" className="button primary">
          {t('ui.send')}
        </button>
      </div>
    </form>
  );
}

function textOf({ text, toolResults = [] }: Message): string {
  return text || toolResults.map((result) => result.content).join('\n\n');
}
