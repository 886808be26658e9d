import { useEffect, useRef, useState } from 'react';
import { Markdown } from '../../markdown';
import type { Message } from '../../store/types';
import { seconds } from '../format';
import { Icon } from '../ui/Icon';

/** Below this it would read as "0 s". */
const SHORT_MS = 100;

/** What the model thought: its newest line while it thinks, folded once it speaks. */
export function Reasoning({ message }: { message: Message }) {
  const [open, setOpen] = useState(false);
  const thinking = message.state === 'streaming' && !message.text && !message.toolCalls;
  const text = message.reasoning ?? '';
  const lastLine = text.trimEnd().split('\n').at(-1) ?? '';
  const box = useRef<HTMLDivElement>(null);

  // The newest thought is kept in view.
  useEffect(() => {
    if (thinking && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, thinking]);

  return (
    <details
      className="reasoning"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <Icon name="bulb" size={15} />
        <span className="reasoning-title">
          {thinking ? 'Thinking' : 'Thought'}
          {(message.reasoningMs ?? 0) >= SHORT_MS && ` for ${seconds(message.reasoningMs ?? 0)}`}
        </span>
        {thinking && !open && <span className="reasoning-live">{lastLine.slice(-160)}</span>}
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
