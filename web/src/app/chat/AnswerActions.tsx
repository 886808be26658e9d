import { useEffect, useState } from 'react';
import { gatewayUrl } from '../../api/base';
import { chatRequest } from '../../api/wire';
import { continueAnswer, regenerate } from '../../store/actions';
import { chatStore } from '../../store/storage/chats';
import { ancestors } from '../../store/tree';
import type { Message } from '../../store/types';
import { ModelList } from '../model/lazy-list';
import { CopyButton } from '../ui/CopyButton';
import { copyText } from '../ui/copy';
import { Icon } from '../ui/Icon';
import { Menu } from '../ui/Menu';
import { Popover, usePopover } from '../ui/Popover';
import { Branches } from './Branches';
import { remove } from './QuestionView';
import { canRead, readStore, stopReading, toggleReading } from './reading';

interface Props {
  chatId: string;
  message: Message;
  version: string;
  isLast: boolean;
}

export function AnswerActions({ chatId, message, version, isLast }: Props) {
  const { anchor, open, close, toggle } = usePopover();
  const [busy, setBusy] = useState(false);
  // Nothing would be left to stop it with.
  useEffect(() => () => stopReading(message.id), [message.id]);
  const isCut = message.state === 'stopped' || message.finish === 'length';
  const copyAs = async (form: 'curl' | 'python' | 'javascript') => {
    const chat = chatStore(chatId).get();
    if (!chat) return;
    setBusy(true);
    const { snippet } = await import('../../snippets');
    const request = await chatRequest(
      message.model ?? chat.model,
      ancestors(chat, message),
      chat.params,
    );
    setBusy(false);
    const root = gatewayUrl('.').replace(/\/$/, '');
    const body = { ...request };
    const call = { method: 'POST' as const, root, path: '/v1/chat/completions', body };
    await copyText(snippet(form, call), `Copied as ${form}`);
  };
  return (
    <div className="actions" data-last={isLast}>
      <Branches chatId={chatId} message={message} version={version} />
      {message.text && <CopyButton text={() => message.text} label="Copy answer" />}
      <button
        type="button"
        className="icon-button"
        aria-label="Answer again"
        title="Answer again"
        onClick={() => regenerate(chatId, message)}
      >
        <Icon name="retry" size={16} />
      </button>
      <button
        ref={anchor}
        type="button"
        className="icon-button narrow"
        aria-label="Answer again with another model"
        title="Answer again with another model"
        aria-haspopup="listbox"
        aria-expanded={open}
        onClick={toggle}
      >
        <Icon name="down" size={14} />
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label="Answer again with" className="models">
          <ModelList
            value={message.model ?? ''}
            onPick={(id) => {
              close();
              regenerate(chatId, message, id);
            }}
          />
        </Popover>
      )}
      {isCut && isLast && (
        <button
          type="button"
          className="button small"
          onClick={() => continueAnswer(chatId, message)}
        >
          Continue
        </button>
      )}
      <Menu
        label="More"
        icon="more"
        align="start"
        className="icon-button"
        items={() => [
          canRead() && message.text
            ? {
                label: readStore.get() === message.id ? 'Stop reading' : 'Read aloud',
                icon: 'sound',
                run: () => toggleReading(message.id, message.text),
              }
            : null,
          { label: 'Copy as curl', icon: 'code', run: () => void copyAs('curl') },
          { label: 'Copy as Python', icon: 'code', run: () => void copyAs('python') },
          { label: 'Copy as JavaScript', icon: 'code', run: () => void copyAs('javascript') },
          message.requestId
            ? {
                label: 'Copy request id',
                icon: 'copy',
                run: () => void copyText(message.requestId ?? ''),
              }
            : null,
          {
            label: 'Delete answer',
            icon: 'trash',
            danger: true,
            run: () => remove(chatId, message),
          },
        ]}
      />
      {busy && <span className="visually-hidden">Preparing</span>}
    </div>
  );
}
