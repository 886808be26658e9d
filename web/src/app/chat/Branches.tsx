import { t } from '../../i18n';
import { choose } from '../../store/actions';
import { chatStore } from '../../store/storage/chats';
import { childrenOf } from '../../store/tree';
import type { Message } from '../../store/types';
import { Icon } from '../ui/Icon';

interface Props {
  chatId: string;
  message: Message;
  /** Such as `2 / 3`; empty if there is only one. */
  version: string;
}

export function Branches({ chatId, message, version }: Props) {
  if (!version) return null;
  const [at, all] = version.split(' / ');
  const go = (by: number) => {
    const chat = chatStore(chatId).get();
    const siblings = chat ? childrenOf(chat, message.parent) : [];
    const next = siblings[siblings.findIndex((sibling) => sibling.id === message.id) + by];
    if (next) choose(chatId, next);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="branches" role="group" aria-label={t('versions.label')}>
      <button
        type="button"
        className="icon-button"
        aria-label={t('versions.previous')}
        disabled={at === '1'}
        onClick={() => go(-1)}
      >
        <Icon name="left" size={15} />
      </button>
      <span>{version}</span>
      <button
        type="button"
        className="icon-button"
        aria-label={t('versions.next')}
        disabled={at === all}
        onClick={() => go(1)}
      >
        <Icon name="right" size={15} />
      </button>
    </div>
  );
}
