import { speedOf } from '../../api/metrics';
import { t } from '../../i18n';
import { useLive } from '../../store/live';
import type { Message, Metrics } from '../../store/types';
import { milliseconds, money, speed } from '../format';
import { Icon } from '../ui/Icon';

interface Props {
  messages: (Message | undefined)[];
  names: string[];
}

/** The latest answers on one time scale: a dot at the first token, a bar to the end. */
export function Race({ messages, names }: Props) {
  const known = messages.filter((message) => message !== undefined);
  if (known.length === 0) return <p className="hint">{t('race.empty')}</p>;
  const end = Math.max(1, ...known.map((message) => message.metrics?.totalMs ?? 0));
  const best = (pick: (metrics: Metrics) => number | undefined) => {
    const values = known.flatMap((message) => pick(message.metrics ?? {}) ?? []);
    // No winner with a single value.
    return values.length < 2 ? undefined : Math.min(...values);
  };
  const first = best((metrics) => metrics.firstTokenMs);
  const total = best((metrics) => metrics.totalMs);
  const cost = best((metrics) => metrics.cost);
  return (
    <ol className="race" aria-label={t('race.label')} translate="no">
      {messages.map((message, i) => {
        if (!message) return null;
        const { metrics } = message;
        const won = [
          first !== undefined && metrics?.firstTokenMs === first && t('race.first'),
          total !== undefined && metrics?.totalMs === total && t('race.done'),
          cost !== undefined && metrics?.cost === cost && t('race.cheapest'),
        ].filter((label) => label !== false);
        return (
          <Runner key={message.id} name={names[i] ?? ''} message={message} end={end} won={won} />
        );
      })}
    </ol>
  );
}

interface RunnerProps {
  name: string;
  message: Message;
  end: number;
  won: string[];
}

function Runner({ name, message: kept, end, won }: RunnerProps) {
  const message = useLive(kept);
  const metrics: Metrics = message.metrics ?? {};
  const { firstTokenMs: first, totalMs: total = 0 } = metrics;
  const rate = speedOf(metrics);
  const scale = Math.max(end, total, 1);
  const at = (ms: number) => (ms / scale) * 100;
  return (
    <li className="runner">
      <span className="runner-head">
        <span className="runner-name ltr">{name}</span>
        {message.state !== 'streaming' &&
          won.map((label) => (
            <span key={label} className="winner">
              <Icon name="flag" size={12} />
              {label}
            </span>
          ))}
      </span>
      <svg
        className="runner-bar mirrored"
        viewBox="0 0 100 8"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <rect className="runner-track" x="0" y="3" width="100" height="2" />
        {first !== undefined && (
          <>
            <rect
              className="runner-fill"
              x={at(first)}
              y="3"
              width={Math.max(0.5, at(total - first))}
              height="2"
            />
            <rect className="runner-dot" x={at(first)} y="0" width="1" height="8" />
          </>
        )}
      </svg>
      <span className="runner-facts">
        {first === undefined
          ? message.fault
            ? t('race.none')
            : t('race.waiting')
          : milliseconds(first)}
        {rate !== undefined && ` · ${speed(rate)}`}
        {metrics.cost !== undefined && ` · ${money(metrics.cost)}`}
      </span>
    </li>
  );
}
