import { speedOf } from '../../api/metrics';
import type { Message } from '../../store/types';
import { count, milliseconds, money, speed } from '../format';
import { lazyPart } from '../ui/lazy-part';
import { Popover, usePopover } from '../ui/Popover';

const Timing = lazyPart(() => import('./Timing').then((m) => m.Timing));

/** Under every answer: provider, latency, speed, tokens and cost. */
export function MetaLine({ message }: { message: Message }) {
  const { anchor, open, close, toggle } = usePopover();
  const parts = partsOf(message);
  if (parts.length === 0) return null;
  return (
    <div className="meta">
      <button
        ref={anchor}
        type="button"
        className="meta-line"
        // Its figures change with every frame.
        translate="no"
        aria-haspopup="dialog"
        aria-expanded={open}
        title="Show timing"
        onClick={toggle}
      >
        {parts.map(({ text, spoken }, i) => (
          <span key={spoken ?? text}>
            <span aria-hidden={spoken ? 'true' : undefined}>{text}</span>
            {spoken && <span className="visually-hidden">{spoken}</span>}
            {i < parts.length - 1 && ' · '}
          </span>
        ))}
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label="Details of this answer" className="timing">
          <Timing message={message} />
        </Popover>
      )}
    </div>
  );
}

interface Part {
  text: string;
  spoken?: string;
}

function partsOf(message: Message): Part[] {
  const { metrics, provider, upstreamModel, model, finish, requestId } = message;
  const parts: Part[] = [];
  // No response, hence no provider.
  if (!metrics && !requestId) return parts;
  const who = upstreamModel ?? model;
  if (provider) parts.push({ text: provider });
  // Such as the demo, whose provider and model have one name.
  if (who && who !== provider) parts.push({ text: who });
  if (metrics?.firstTokenMs !== undefined) {
    const time = milliseconds(metrics.firstTokenMs);
    parts.push({ text: `TTFT ${time}`, spoken: `first token after ${time}` });
  }
  const rate = speedOf(metrics);
  if (rate !== undefined)
    parts.push({ text: speed(rate), spoken: `${count(rate)} tokens per second` });
  if (metrics?.outputTokens) {
    const about = metrics.estimated ? '≈' : '';
    const input = metrics.inputTokens;
    const out = count(metrics.outputTokens);
    parts.push(
      input === undefined
        ? { text: `${about}${out} tok`, spoken: `${out} tokens so far` }
        : {
            text: `${about}${count(input)}→${out} tok`,
            spoken: `${metrics.estimated ? 'about ' : ''}${count(input)} tokens in, ${out} out`,
          },
    );
  }
  if (metrics?.cost !== undefined) parts.push({ text: money(metrics.cost) });
  if (message.state === 'stopped') parts.push({ text: 'stopped' });
  else if (finish) parts.push({ text: finish === 'length' ? 'cut at the token limit' : finish });
  if (requestId) {
    // Ids begin alike and end with a count.
    const name = requestId.slice(-8);
    parts.push({ text: `#${name}`, spoken: `request ${name}` });
  }
  return parts;
}
