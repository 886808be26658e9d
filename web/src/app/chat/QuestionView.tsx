import { memo, useState } from 'react';
import { deleteMessage, edit, undelete } from '../../store/actions';
import { notify } from '../../store/notices';
import type { Message } from '../../store/types';
import { Attachments } from '../composer/Attachments';
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
      aria-label="You wrote"
    >
      <h2 className="visually-hidden">You, {exactTime(message.at)}</h2>
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
                <CopyButton text={() => textOf(message)} label="Copy message" />
                {!message.toolResults && (
                  <button
                    type="button"
                    className="icon-button"
                    aria-label="Edit message"
                    title="Edit"
                    onClick={() => onEdit(message.id)}
                  >
                    <Icon name="edit" size={16} />
                  </button>
                )}
                <button
                  type="button"
                  className="icon-button"
                  aria-label="Delete message"
                  title="Delete"
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
  notify('Message and all later ones deleted.', { label: 'Undo', run: () => undelete(before) });
}

interface EditorProps {
  chatId: string;
  message: Message;
  onDone: () => void;
}

function Editor({ chatId, message, onDone }: EditorProps) {
  const [text, setText] = useState(message.text);
  const button = `[data-message="${CSS.escape(message.id)}"] [aria-label="Edit message"]`;
  useFocusAfter(
    // Another version takes the place of one that was edited.
    () =>
      document.querySelector<HTMLElement>(button) ??
      (isTouch() ? null : document.getElementById('composer')),
  );
  const send = () => {
    onDone();
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
        aria-label="Edit message"
        rows={Math.min(10, text.split('\n').length + 1)}
        value={text}
        ref={(area: HTMLTextAreaElement | null) => {
          if (area && !area.dataset.ready) {
            area.dataset.ready = 'yes';
            area.focus();
            area.setSelectionRange(area.value.length, area.value.length);
          }
        }}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onDone();
          if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault();
            send();
          }
        }}
      />
      <div className="editor-row">
        <span className="hint grow">The earlier version stays as a branch.</span>
        <button type="button" className="button" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" className="button primary">
          Send
        </button>
      </div>
    </form>
  );
}

function textOf({ text, toolResults = [] }: Message): string {
  return text || toolResults.map((result) => result.content).join('\n\n');
}
