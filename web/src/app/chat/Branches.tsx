import { choose } from '../../store/actions';
import { childrenOf } from '../../store/tree';
import type { Conversation, Message } from '../../store/types';
import { Icon } from '../ui/Icon';

/** Which of several versions is shown, and the way to the others. */
export function Branches({ chat, message }: { chat: Conversation; message: Message }) {
  const all = childrenOf(chat, message.parent);
  if (all.length < 2) return null;
  const at = all.findIndex((each) => each.id === message.id);
  const go = (to: number) => {
    const next = all[to];
    if (next) choose(chat.id, next);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="branches" role="group" aria-label="Versions">
      <button
        type="button"
        className="icon-button"
        aria-label="Previous version"
        disabled={at === 0}
        onClick={() => go(at - 1)}
      >
        <Icon name="left" size={15} />
      </button>
      <span>
        {at + 1} / {all.length}
      </span>
      <button
        type="button"
        className="icon-button"
        aria-label="Next version"
        disabled={at === all.length - 1}
        onClick={() => go(at + 1)}
      >
        <Icon name="right" size={15} />
      </button>
    </div>
  );
}
