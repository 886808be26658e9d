import { speedOf } from '../../api/metrics';
import { useLive } from '../../store/live';
import type { Message, Metrics } from '../../store/types';
import { milliseconds, money, speed } from '../format';
import { Icon } from '../ui/Icon';

interface Props {
  messages: (Message | undefined)[];
  names: string[];
}

/** The lanes' latest answers on one scale of time: a dot for the first token, a bar to the last. */
export function Race({ messages, names }: Props) {
  const known = messages.filter((each) => each !== undefined);
  if (known.length === 0) return <p className="hint">One question, and each model's time beside it.</p>;
  const end = Math.max(1, ...known.map((each) => each.metrics?.totalMs ?? 0));
  const firsts = known.map((each) => each.metrics?.firstTokenMs ?? Number.POSITIVE_INFINITY);
  const costs = known.map((each) => each.metrics?.cost ?? Number.POSITIVE_INFINITY);
  return (
    <ol className="race" aria-label="Times">
      {messages.map((message, i) =>
        message ? (
          <Runner
            key={message.id}
            name={names[i] ?? ''}
            message={message}
            end={end}
            fastest={message.metrics?.firstTokenMs === Math.min(...firsts)}
            cheapest={message.metrics?.cost === Math.min(...costs)}
          />
        ) : null,
      )}
    </ol>
  );
}

interface RunnerProps {
  name: string;
  message: Message;
  end: number;
  fastest: boolean;
  cheapest: boolean;
}

function Runner({ name, message: kept, end, fastest, cheapest }: RunnerProps) {
  const message = useLive(kept);
  const metrics: Metrics = message.metrics ?? {};
  const first = metrics.firstTokenMs;
  const total = metrics.totalMs ?? (first === undefined ? 0 : end);
  const rate = speedOf(metrics);
  const at = (ms: number) => Math.min(100, (ms / Math.max(end, total, 1)) * 100);
  return (
    <li className="runner">
      <span className="runner-name">{name}</span>
      <svg className="runner-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect className="runner-track" x="0" y="2" width="100" height="2" />
        {first !== undefined && (
          <>
            <rect className="runner-fill" x={at(first)} y="2" width={Math.max(1, at(total) - at(first))} height="2" />
            <rect className="runner-dot" x={at(first)} y="0" width="1.2" height="6" />
          </>
        )}
      </svg>
      <span className="runner-facts">
        {first === undefined ? 'waiting' : milliseconds(first)}
        {rate !== undefined && ` · ${speed(rate)}`}
        {metrics.cost !== undefined && ` · ${money(metrics.cost)}`}
        {fastest && message.state !== 'streaming' && (
          <span className="winner">
            <Icon name="flag" size={12} /> first
          </span>
        )}
        {cheapest && (
          <span className="winner">
            <Icon name="flag" size={12} /> cheapest
          </span>
        )}
      </span>
    </li>
  );
}
