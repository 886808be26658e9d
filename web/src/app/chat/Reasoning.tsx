import { useEffect, useRef, useState } from 'react';
import { t } from '../../i18n';
import { Markdown } from '../../markdown';
import type { Message } from '../../store/types';
import { seconds } from '../format';
import { Icon } from '../ui/Icon';

/** Shorter times would show as "0 s". */
const SHORT_MS = 100;

/** Reasoning: its last line while it streams, collapsed afterwards. */
export function Reasoning({ message }: { message: Message }) {
  const [open, setOpen] = useState(false);
  const thinking = message.state === 'streaming' && !message.text && !message.toolCalls;
  const text = message.reasoning ?? '';
  const lastLine = text.trimEnd().split('\n').at(-1) ?? '';
  const box = useRef<HTMLDivElement>(null);

  // Keeps the last line visible.
  useEffect(() => {
    if (thinking && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, thinking]);

  return (
    <details
      className="reasoning"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary translate="no">
        <Icon name="bulb" size={15} />
        <span className="reasoning-title">{titleOf(thinking, message.reasoningMs ?? 0)}</span>
        {thinking && !open && (
          <span className="reasoning-live" dir="auto">
            {lastLine.slice(-160)}
          </span>
        )}
        <Icon name="down" size={14} />
      </summary>
      {open && (
        <div ref={box} className="reasoning-text prose">
          <Markdown text={text} streaming={thinking} />
        </div>
      )}
    </details>
  );
}

function titleOf(thinking: boolean, ms: number): string {
  if (ms < SHORT_MS) return thinking ? t('reasoning.thinking') : t('reasoning.thought');
  const time = seconds(ms);
  return thinking ? t('reasoning.thinkingFor', { time }) : t('reasoning.thoughtFor', { time });
}
