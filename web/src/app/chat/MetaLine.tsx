import { speedOf } from '../../api/metrics';
import type { Message } from '../../store/types';
import { count, milliseconds, money, speed } from '../format';
import { CopyButton } from '../ui/CopyButton';
import { Popover, usePopover } from '../ui/Popover';

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
  if (who) parts.push({ text: who });
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

/** Time to headers, to the first token and to the end, as bars on one scale. */
function Timing({ message }: { message: Message }) {
  const { metrics, requestId, upstreamRequestId } = message;
  const total = metrics?.totalMs ?? metrics?.firstTokenMs ?? 0;
  const headers = metrics?.headersMs ?? 0;
  const first = metrics?.firstTokenMs ?? headers;
  const bars = [
    { name: 'Response headers', from: 0, to: headers },
    { name: 'First token', from: headers, to: first },
    { name: 'Stream', from: first, to: total },
  ].filter((bar) => bar.to > bar.from);
  return (
    <>
      <svg className="bars" viewBox="0 0 100 18" preserveAspectRatio="none" aria-hidden="true">
        {bars.map((bar, i) => (
          <rect
            key={bar.name}
            className={`bar-${i}`}
            x={(bar.from / total) * 100}
            width={Math.max(0.5, ((bar.to - bar.from) / total) * 100)}
            y={i * 6}
            height={5}
            rx={1}
          />
        ))}
      </svg>
      <dl className="facts">
        {bars.map((bar) => (
          <Fact key={bar.name} name={bar.name} value={milliseconds(bar.to - bar.from)} />
        ))}
        <Fact name="Total" value={milliseconds(total)} />
        {metrics?.reasoningTokens ? (
          <Fact name="Reasoning tokens" value={count(metrics.reasoningTokens)} />
        ) : null}
        {metrics?.estimated && <Fact name="Token count" value="estimated by the page" />}
        {requestId && <Fact name="Request id" value={requestId} copy />}
        {upstreamRequestId && upstreamRequestId !== requestId && (
          <Fact name="Provider's id" value={upstreamRequestId} copy />
        )}
      </dl>
    </>
  );
}

function Fact({ name, value, copy }: { name: string; value: string; copy?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={copy ? 'mono' : undefined}>
        {value}
        {copy && <CopyButton text={() => value} label={`Copy: ${name}`} />}
      </dd>
    </div>
  );
}
