import { speedOf } from '../../api/metrics';
import { t } from '../../i18n';
import { loadModule } from '../../load-module';
import type { Message, Metrics } from '../../store/types';
import { milliseconds, money, speed } from '../format';
import { lazyPart } from '../ui/lazy-part';
import { Popover, usePopover } from '../ui/Popover';

const Timing = lazyPart(() => loadModule(() => import('./Timing')).then((m) => m.Timing));

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
        title={t('meta.show')}
        onClick={toggle}
      >
        {parts.map(({ text, spoken }, i) => (
          <span key={spoken ?? text}>
            <bdi aria-hidden={spoken ? 'true' : undefined}>{text}</bdi>
            {spoken && <span className="visually-hidden">{spoken}</span>}
            {i < parts.length - 1 && ' · '}
          </span>
        ))}
      </button>
      {open && (
        <Popover anchor={anchor} onClose={close} label={t('meta.label')} className="timing">
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
    parts.push({ text: t('meta.first', { time }), spoken: t('meta.firstSpoken', { time }) });
  }
  const rate = speedOf(metrics);
  if (rate !== undefined)
    parts.push({ text: speed(rate), spoken: t('meta.speedSpoken', { n: Math.round(rate) }) });
  if (metrics?.outputTokens) parts.push(tokensOf(metrics, metrics.outputTokens));
  if (metrics?.cost !== undefined) parts.push({ text: money(metrics.cost) });
  if (message.state === 'stopped') parts.push({ text: t('meta.stopped') });
  else if (finish) parts.push({ text: finish === 'length' ? t('meta.length') : finish });
  if (requestId) {
    // Ids begin alike and end with a count.
    const name = requestId.slice(-8);
    parts.push({ text: `#${name}`, spoken: t('meta.requestSpoken', { id: name }) });
  }
  return parts;
}

function tokensOf({ inputTokens, estimated }: Metrics, out: number): Part {
  if (inputTokens === undefined) {
    return { text: t('meta.soFar', { n: out }), spoken: t('meta.soFarSpoken', { n: out }) };
  }
  const n = { in: inputTokens, out };
  return estimated
    ? { text: t('meta.tokensAbout', n), spoken: t('meta.tokensAboutSpoken', n) }
    : { text: t('meta.tokens', n), spoken: t('meta.tokensSpoken', n) };
}
