import { t } from '../../i18n';
import type { Message } from '../../store/types';
import { count, milliseconds } from '../format';
import { CopyButton } from '../ui/CopyButton';

/** Time to headers, to the first token and to the end, as bars on one scale. */
export function Timing({ message }: { message: Message }) {
  const { metrics, requestId, upstreamRequestId } = message;
  const total = metrics?.totalMs ?? metrics?.firstTokenMs ?? 0;
  const headers = metrics?.headersMs ?? 0;
  const first = metrics?.firstTokenMs ?? headers;
  const bars = [
    { name: t('timing.headers'), from: 0, to: headers },
    { name: t('timing.first'), from: headers, to: first },
    { name: t('timing.stream'), from: first, to: total },
  ].filter((bar) => bar.to > bar.from);
  return (
    <>
      <svg
        className="bars mirrored"
        viewBox="0 0 100 18"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
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
        <Fact name={t('timing.total')} value={milliseconds(total)} />
        {metrics?.reasoningTokens ? (
          <Fact name={t('timing.reasoning')} value={count(metrics.reasoningTokens)} />
        ) : null}
        {metrics?.suspended && <Fact name={t('timing.speed')} value={t('timing.suspended')} />}
        {metrics?.estimated && <Fact name={t('timing.count')} value={t('timing.estimated')} />}
        {requestId && <Fact name={t('timing.requestId')} value={requestId} copy />}
        {upstreamRequestId && upstreamRequestId !== requestId && (
          <Fact name={t('timing.providerId')} value={upstreamRequestId} copy />
        )}
      </dl>
    </>
  );
}

function Fact({ name, value, copy }: { name: string; value: string; copy?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={copy ? 'mono ltr' : undefined}>
        {value}
        {copy && <CopyButton text={() => value} label={t('timing.copy', { name })} />}
      </dd>
    </div>
  );
}
