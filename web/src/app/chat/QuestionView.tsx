import { memo, useState } from 'react';
import { deleteMessage, edit } from '../../store/actions';
import { changeChat } from '../../store/chats';
import { notify } from '../../store/notices';
import type { Conversation, Message } from '../../store/types';
import { Attachments } from '../composer/Attachments';
import { exactTime } from '../format';
import { CopyButton } from '../ui/CopyButton';
import { Icon } from '../ui/Icon';
import { Branches } from './Branches';

interface Props {
  chat: Conversation;
  message: Message;
  editing: boolean;
  onEdit: (on: boolean) => void;
  eager: boolean;
}

export const QuestionView = memo(function QuestionView({ chat, message, editing, onEdit }: Props) {
  return (
    <article className="question" data-message={message.id} tabIndex={-1} aria-label="You wrote">
      <h2 className="visually-hidden">You, {exactTime(message.at)}</h2>
      {editing ? (
        <Editor chat={chat} message={message} onDone={() => onEdit(false)} />
      ) : (
        <>
          <Attachments files={message.attachments ?? []} />
          {message.text && <div className="question-text">{message.text}</div>}
          <div className="actions">
            <Branches chat={chat} message={message} />
            <CopyButton text={() => message.text} label="Copy message" />
            <button
              type="button"
              className="icon-button"
              aria-label="Edit message"
              title="Edit"
              onClick={() => onEdit(true)}
            >
              <Icon name="edit" size={16} />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label="Delete message"
              title="Delete"
              onClick={() => remove(chat, message)}
            >
              <Icon name="trash" size={16} />
            </button>
          </div>
        </>
      )}
    </article>
  );
});

/** Takes a message and all that follows out, with a way back. */
export function remove(chat: Conversation, message: Message): void {
  deleteMessage(chat.id, message.id);
  notify('Message deleted, with what followed it.', {
    label: 'Undo',
    run: () =>
      changeChat(chat.id, (now) => ({
        ...now,
        messages: { ...chat.messages, ...now.messages },
        chosen: { ...now.chosen, ...chat.chosen },
        gone: chat.gone,
      })),
  });
}

function Editor({ chat, message, onDone }: { chat: Conversation; message: Message; onDone: () => void }) {
  const [text, setText] = useState(message.text);
  const send = () => {
    onDone();
    if (text.trim()) edit(chat.id, message, { text: text.trim(), attachments: message.attachments ?? [] });
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
          if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
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
