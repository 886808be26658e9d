import { useEffect, useRef, useState } from 'react';
import { notify } from '../../store/notices';
import { Icon } from '../ui/Icon';
import { UNREACHABLE } from '../ui/lazy-part';

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
      const { dictate } = await import('./dictate');
      if (gone) return;
      stop.current = dictate(
        (text) => say.current(text),
        () => setOn(false),
      );
    } catch {
      setOn(false);
      notify(UNREACHABLE);
    }
  };
  return (
    <button
      type="button"
      className="icon-button"
      data-on={on}
      aria-label="Dictate"
      aria-pressed={on}
      title="Dictate, by the browser's own speech recognition"
      onClick={() => void toggle()}
    >
      <Icon name="mic" />
    </button>
  );
}
