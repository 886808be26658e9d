import { useEffect, useState } from 'react';
import { gatewayUrl } from '../../api/base';
import { chatRequest } from '../../api/wire';
import { t } from '../../i18n';
import { loadModule } from '../../load-module';
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
    const { snippet, SNIPPET_LANGUAGES } = await loadModule(() => import('../../snippets'));
    const request = await chatRequest(
      message.model ?? chat.model,
      ancestors(chat, message),
      chat.params,
    );
    setBusy(false);
    const root = gatewayUrl('.').replace(/\/$/, '');
    const body = { ...request };
    const call = { method: 'POST' as const, root, path: '/v1/chat/completions', body };
    const language = SNIPPET_LANGUAGES.find(({ id }) => id === form)?.name ?? form;
    await copyText(snippet(form, call), t('answer.copiedAs', { language }));
  };
  return (
    <div className="actions" data-last={isLast}>
      <Branches chatId={chatId} message={message} version={version} />
      {message.text && <CopyButton text={() => message.text} label={t('answer.copy')} />}
      <button
        type="button"
        className="icon-button"
        aria-label={t('answer.again')}
        title={t('answer.again')}
        onClick={() => regenerate(chatId, message)}
      >
        <Icon name="retry" size={16} />
      </button>
      <button
        ref={anchor}
        type="button"
        className="icon-button narrow"
        aria-label={t('answer.againModel')}
        title={t('answer.againModel')}
        aria-haspopup="listbox"
        aria-expanded={open}
        onClick={toggle}
      >
        <Icon name="down" size={14} />
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label={t('answer.againWith')} className="models">
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
          {t('answer.continue')}
        </button>
      )}
      <Menu
        label={t('ui.more')}
        icon="more"
        align="start"
        className="icon-button"
        items={() => [
          canRead() && message.text
            ? {
                label: readStore.get() === message.id ? t('answer.stopReading') : t('answer.read'),
                icon: 'sound',
                run: () => toggleReading(message.id, message.text),
              }
            : null,
          {
            label: t('answer.copyAs', { language: 'curl' }),
            icon: 'code',
            run: () => void copyAs('curl'),
          },
          {
            label: t('answer.copyAs', { language: 'Python' }),
            icon: 'code',
            run: () => void copyAs('python'),
          },
          {
            label: t('answer.copyAs', { language: 'JavaScript' }),
            icon: 'code',
            run: () => void copyAs('javascript'),
          },
          message.requestId
            ? {
                label: t('answer.copyId'),
                icon: 'copy',
                run: () => void copyText(message.requestId ?? ''),
              }
            : null,
          {
            label: t('answer.delete'),
            icon: 'trash',
            danger: true,
            run: () => remove(chatId, message),
          },
        ]}
      />
      {busy && <span className="visually-hidden">{t('answer.preparing')}</span>}
    </div>
  );
}
