import type { TargetStatus } from '../api/types';
import { useStore } from '../store/create';
import { feedStore } from './feed';
import { words } from './Recent';

const STATES: Record<string, [string, string]> = {
  ready: ['ok', 'Ready'],
  ejected: ['bad', 'Failing'],
  cooling: ['warn', 'Rate-limited'],
  benched: ['bad', 'Key refused'],
  exhausted: ['warn', 'Limit used up'],
  unwell: ['bad', 'Unwell'],
  not_configured: ['idle', 'Not set up'],
};

/** Where a model's requests can go. Of one place there is nothing to tell that the model does not. */
export function Targets({ targets }: { targets: TargetStatus[] }) {
  if (targets.length < 2) return null;
  // A number is worth its room only where there are several keys.
  const keys = new Set(targets.filter((each) => each.key).map((each) => each.provider));
  return (
    <ul className="st-targets" aria-label="Targets">
      {targets.map((each) => (
        <Target
          key={`${each.provider} ${each.upstream_model} ${each.key}`}
          target={each}
          numbered={keys.has(each.provider)}
        />
      ))}
    </ul>
  );
}

function Target({ target, numbered }: { target: TargetStatus; numbered: boolean }) {
  const [tone, word] = STATES[target.state] ?? ['warn', words(target.state)];
  const place = [
    target.fallback ? 'fallback' : `priority ${target.priority}`,
    `weight ${target.weight}`,
  ].join(', ');
  return (
    <li className="st-line st-muted">
      <span className={`st-dot ${tone}`} aria-hidden="true" />
      <span className="st-target" title={`${target.provider} ${target.upstream_model}, ${place}`}>
        <b>
          {target.provider}
          {numbered && target.key !== null && ` key ${target.key + 1}`}
        </b>{' '}
        {target.upstream_model}
        {target.fallback && ' (fallback)'}
      </span>
      <span className={`st-${tone}`}>
        {word}
        {target.until !== null && <Left until={target.until} />}
      </span>
    </li>
  );
}

/** By the gateway's clock, which need not be this browser's. */
function Left({ until }: { until: number }) {
  const now = useStore(feedStore, (feed) => feed.status?.at ?? until);
  const seconds = Math.ceil((until - now) / 1000);
  return seconds > 0 ? <>, {seconds} s</> : null;
}
