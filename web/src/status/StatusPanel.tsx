import './status.css';
import { useEffect } from 'react';
import { apiBase, gatewayUrl } from '../api/base';
import type { GatewayStatus } from '../api/types';
import { count, milliseconds } from '../app/format';
import { CopyButton } from '../app/ui/CopyButton';
import { Icon } from '../app/ui/Icon';
import { useCountdown } from '../app/use-countdown';
import { Limits } from '../limits';
import { clientSnippet } from '../snippets';
import { useStore } from '../store/create-store';
import { changeSettings } from '../store/settings';
import { type Feed, feedStore, startFeed } from './feed';
import { indexMessages } from './own-requests';
import { Recent } from './Recent';
import { Trend } from './Trend';
import { Models, Providers } from './Upstreams';

/** Live gateway status: streamed only while the panel is open and the tab visible. */
export function StatusPanel() {
  const feed = useStore(feedStore);
  const { status } = feed;
  useEffect(() => {
    void indexMessages();
    return startFeed();
  }, []);
  return (
    // Its figures change each second.
    <div className="st" translate="no">
      <div className="st-head">
        <h2>Gateway</h2>
        <PhaseLabel feed={feed} />
        <button
          type="button"
          className="icon-button"
          aria-label="Close status"
          onClick={() => changeSettings({ status: false })}
        >
          <Icon name="close" />
        </button>
      </div>
      <Limits />
      {status ? <Figures feed={feed} status={status} /> : <Placeholder feed={feed} />}
      <Connect status={status} />
      {status && <SetUp status={status} />}
    </div>
  );
}

function PhaseLabel({ feed }: { feed: Feed }) {
  const seconds = useCountdown(feed.retryAt);
  const labels: Record<Feed['phase'], [string, string]> = {
    connecting: ['off', 'Connecting'],
    live: ['ok', 'Live'],
    waiting: ['warn', `Retry in ${seconds} s`],
    paused: ['off', 'Paused'],
    key: ['warn', 'Key required'],
    absent: ['off', 'Off'],
  };
  const [tone, label] = labels[feed.phase];
  const draining = feed.phase === 'live' && feed.status?.draining;
  return (
    <span className="st-phase">
      <span className={`st-dot ${draining ? 'warn' : tone}`} aria-hidden="true" />
      {draining ? 'Shutting down' : label}
    </span>
  );
}

function Placeholder({ feed }: { feed: Feed }) {
  const texts: Record<Feed['phase'], string> = {
    connecting: 'Loading status…',
    live: '',
    waiting: 'The gateway is not responding. Its status will appear here once it does.',
    paused: '',
    key: 'The status of this gateway requires a client key.',
    absent: 'This gateway does not serve its status.',
  };
  return <p className="st-none">{texts[feed.phase]}</p>;
}

function Figures({ feed, status }: { feed: Feed; status: GatewayStatus }) {
  const { points } = feed;
  const last = points.at(-1);
  const errors = status.requests.total > 0 ? status.requests.failed / status.requests.total : 0;
  return (
    <>
      <dl className="st-facts">
        <Fact name="Up" value={uptime(status.uptime_ms)} />
        <Fact name="Version" value={status.version} />
        <Fact name="In flight" value={count(status.requests.in_flight)} />
        <Fact name="Requests" value={count(status.requests.total)} />
      </dl>
      {status.requests.total > 0 && (
        <dl className="st-sparks">
          <Trend
            label="Requests/s"
            value={rate(last?.perSecond)}
            points={points}
            lines={[{ pick: (p) => p.perSecond, className: 'line' }]}
            minTop={1}
          />
          <Trend
            label="First token"
            value={last?.p50 == null ? '–' : milliseconds(last.p50)}
            more={last?.p95 == null ? '' : `p95 ${milliseconds(last.p95)}`}
            points={points}
            lines={[
              { pick: (p) => p.p95, className: 'line faint' },
              { pick: (p) => p.p50, className: 'line' },
            ]}
            minTop={50}
          />
          <Trend
            label="Tokens/s"
            value={rate(last?.tokensPerSecond)}
            points={points}
            lines={[{ pick: (p) => p.tokensPerSecond, className: 'line' }]}
            minTop={10}
          />
          <Trend
            label="Errors since start"
            value={`${Math.round(errors * 1000) / 10} %`}
            points={points}
            lines={[{ pick: (p) => p.errorShare, className: 'line bad' }]}
            minTop={1}
          />
        </dl>
      )}
      <h3>Last requests</h3>
      <Recent requests={status.recent} />
    </>
  );
}

/** What is set up, and behind it what is not. */
function SetUp({ status }: { status: GatewayStatus }) {
  const ready = status.models.filter((model) => model.ready).length;
  return (
    <>
      <h3>
        Models{' '}
        <span className="st-muted">
          {ready} of {status.models.length} ready
        </span>
      </h3>
      <Models models={status.models} recent={status.recent} />
      <h3>Providers</h3>
      <Providers providers={status.providers} />
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Connect({ status }: { status: GatewayStatus | null }) {
  const model = status?.models.find((model) => model.ready)?.id ?? 'demo';
  const root = gatewayUrl('.').replace(/\/$/, '');
  return (
    <>
      <h3>Connect</h3>
      <div className="st-connect">
        <code className="st-base">{apiBase()}</code>
        <div className="st-line">
          <CopyButton text={apiBase} label="Copy base URL" caption="Base URL" />
          <CopyButton
            text={() => clientSnippet('python', root, model)}
            label="Copy Python snippet"
            caption="Python"
          />
          <CopyButton
            text={() => clientSnippet('javascript', root, model)}
            label="Copy JavaScript snippet"
            caption="JavaScript"
          />
          <CopyButton
            text={() => clientSnippet('curl', root, model)}
            label="Copy curl command"
            caption="curl"
          />
        </div>
      </div>
    </>
  );
}

function rate(value: number | undefined): string {
  if (value === undefined) return '–';
  return value < 10 ? String(Math.round(value * 10) / 10) : count(value);
}

function uptime(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
