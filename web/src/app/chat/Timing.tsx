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
        {metrics?.suspended && (
          <Fact name="Speed" value="unknown: the browser suspended this tab meanwhile" />
        )}
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
