import { useEffect, useRef, useState } from 'react';
import { t } from '../../i18n';
import { loadModule } from '../../load-module';
import { notify } from '../../store/notices';
import { Icon } from '../ui/Icon';
import { unreachable } from '../ui/lazy-part';

const canDictate = () =>
  'SpeechRecognition' in globalThis || 'webkitSpeechRecognition' in globalThis;

interface Props {
  chatId: string | null;
  onText: (text: string) => void;
}

/** Speech to text, where the browser has it: some browsers send the sound to their maker. */
export function Dictation({ chatId, onText }: Props) {
  const [on, setOn] = useState(false);
  const stop = useRef(() => {});
  const say = useRef(onText);
  say.current = onText;
  useEffect(() => () => stop.current(), [chatId]);
  if (!canDictate()) return null;
  const toggle = async () => {
    if (on) {
      stop.current();
      return;
    }
    setOn(true);
    // Until it has begun.
    let gone = false;
    stop.current = () => {
      gone = true;
      setOn(false);
    };
    try {
      const { dictate } = await loadModule(() => import('./dictate'));
      if (gone) return;
      stop.current = dictate(
        (text) => say.current(text),
        () => setOn(false),
      );
    } catch {
      setOn(false);
      notify(unreachable());
    }
  };
  return (
    <button
      type="button"
      className="icon-button"
      data-on={on}
      aria-label={t('dictate.label')}
      aria-pressed={on}
      title={t('dictate.title')}
      onClick={() => void toggle()}
    >
      <Icon name="mic" />
    </button>
  );
}
