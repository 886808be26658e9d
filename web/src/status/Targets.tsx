import { targetHealth } from '../api/health';
import type { TargetStatus } from '../api/types';
import { joined } from '../app/format';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import { feedStore } from './feed';

/** Nothing for a single target: its state is that of the model. */
export function Targets({ targets }: { targets: TargetStatus[] }) {
  if (targets.length < 2) return null;
  // Key numbers are shown only for providers with several keys.
  const keys = new Set(targets.filter((target) => target.key).map((target) => target.provider));
  return (
    <ul className="st-targets" aria-label={t('status.targets')}>
      {targets.map((target) => (
        <Target
          key={`${target.provider} ${target.upstream_model} ${target.key}`}
          target={target}
          numbered={keys.has(target.provider)}
        />
      ))}
    </ul>
  );
}

function Target({ target, numbered }: { target: TargetStatus; numbered: boolean }) {
  const { tone, word } = targetHealth(target.state);
  const position = joined([
    target.fallback ? t('status.fallback') : t('status.priority', { n: target.priority }),
    t('status.weight', { n: target.weight }),
  ]);
  return (
    <li className="st-line st-muted">
      <span className={`st-dot ${tone}`} aria-hidden="true" />
      <span
        className="st-target"
        title={`${target.provider} ${target.upstream_model}, ${position}`}
      >
        <b>
          {numbered && target.key !== null
            ? t('status.targetKey', { provider: target.provider, n: target.key + 1 })
            : target.provider}
        </b>{' '}
        {target.fallback
          ? t('status.targetFallback', { model: target.upstream_model })
          : target.upstream_model}
      </span>
      <span className={`st-${tone}`}>
        {word}
        {target.until !== null && <Left until={target.until} />}
      </span>
    </li>
  );
}

/** By the gateway's clock, which may differ from the browser's. */
function Left({ until }: { until: number }) {
  const now = useStore(feedStore, (feed) => feed.status?.at ?? until);
  const left = Math.ceil((until - now) / 1000);
  return left > 0 ? `${t('list.comma')}${t('unit.s', { n: left })}` : null;
}
