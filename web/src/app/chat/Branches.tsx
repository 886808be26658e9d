import { choose } from '../../store/actions';
import { chatStore } from '../../store/chats';
import { childrenOf } from '../../store/tree';
import type { Message } from '../../store/types';
import { Icon } from '../ui/Icon';

interface Props {
  chatId: string;
  message: Message;
  /** As `2 / 3`; empty where there is only this one. */
  version: string;
}

/** Which of several versions is shown, and the way to the others. */
export function Branches({ chatId, message, version }: Props) {
  if (!version) return null;
  const [at, all] = version.split(' / ');
  const go = (by: number) => {
    const chat = chatStore(chatId).get();
    const siblings = chat ? childrenOf(chat, message.parent) : [];
    const next = siblings[siblings.findIndex((each) => each.id === message.id) + by];
    if (next) choose(chatId, next);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="branches" role="group" aria-label="Versions">
      <button
        type="button"
        className="icon-button"
        aria-label="Previous version"
        disabled={at === '1'}
        onClick={() => go(-1)}
      >
        <Icon name="left" size={15} />
      </button>
      <span>{version}</span>
      <button
        type="button"
        className="icon-button"
        aria-label="Next version"
        disabled={at === all}
        onClick={() => go(1)}
      >
        <Icon name="right" size={15} />
      </button>
    </div>
  );
}
