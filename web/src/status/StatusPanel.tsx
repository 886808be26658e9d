import './status.css';
import { useEffect } from 'react';
import { apiBase, gatewayUrl } from '../api/base';
import type { GatewayStatus } from '../api/types';
import { count, milliseconds, oneDecimal, percent } from '../app/format';
import { CopyButton } from '../app/ui/CopyButton';
import { Icon } from '../app/ui/Icon';
import { lazyPart } from '../app/ui/lazy-part';
import { useCountdown } from '../app/use-countdown';
import { t } from '../i18n';
import { Limits } from '../limits';
import { loadModule } from '../load-module';
import { clientSnippet } from '../snippets';
import { useStore } from '../store/create-store';
import { changeSettings } from '../store/settings';
import { type Feed, feedStore, startFeed } from './feed';
import { indexMessages } from './own-requests';
import { Recent } from './Recent';
import { Trend } from './Trend';
import { Models, Providers } from './Upstreams';

const Operator = lazyPart(() => loadModule(() => import('../operator')).then((m) => m.Operator), {
  quiet: true,
});

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
        <h2>{t('status.title')}</h2>
        <PhaseLabel feed={feed} />
        <button
          type="button"
          className="icon-button"
          aria-label={t('status.close')}
          onClick={() => changeSettings({ status: false })}
        >
          <Icon name="close" />
        </button>
      </div>
      <Limits />
      {status ? <Figures feed={feed} status={status} /> : <Placeholder feed={feed} />}
      <Connect status={status} />
      {status && <SetUp status={status} />}
      {status?.operator && <Operator />}
    </div>
  );
}

function PhaseLabel({ feed }: { feed: Feed }) {
  const left = useCountdown(feed.retryAt);
  const labels: Record<Feed['phase'], [string, string]> = {
    connecting: ['off', t('status.connecting')],
    live: ['ok', t('status.live')],
    waiting: ['warn', t('status.waiting', { time: t('unit.s', { n: left }) })],
    paused: ['off', t('status.paused')],
    key: ['warn', t('status.key')],
    absent: ['off', t('status.absent')],
  };
  const [tone, label] = labels[feed.phase];
  const draining = feed.phase === 'live' && feed.status?.draining;
  return (
    <span className="st-phase">
      <span className={`st-dot ${draining ? 'warn' : tone}`} aria-hidden="true" />
      {draining ? t('status.draining') : label}
    </span>
  );
}

function Placeholder({ feed }: { feed: Feed }) {
  const texts: Record<Feed['phase'], string> = {
    connecting: t('app.loadingStatus'),
    live: '',
    waiting: t('status.waitingText'),
    paused: '',
    key: t('status.keyText'),
    absent: t('status.absentText'),
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
        <Fact name={t('status.up')} value={uptime(status.uptime_ms)} />
        <Fact name={t('about.version')} value={status.version} />
        <Fact name={t('status.inFlight')} value={count(status.requests.in_flight)} />
        <Fact name={t('status.requests')} value={count(status.requests.total)} />
      </dl>
      {status.requests.total > 0 && (
        <dl className="st-sparks">
          <Trend
            label={t('status.perSecond')}
            value={rate(last?.perSecond)}
            points={points}
            lines={[{ pick: (p) => p.perSecond, className: 'line' }]}
            minTop={1}
          />
          <Trend
            label={t('timing.first')}
            value={last?.p50 == null ? '–' : milliseconds(last.p50)}
            more={last?.p95 == null ? '' : t('status.p95', { time: milliseconds(last.p95) })}
            points={points}
            lines={[
              { pick: (p) => p.p95, className: 'line faint' },
              { pick: (p) => p.p50, className: 'line' },
            ]}
            minTop={50}
          />
          <Trend
            label={t('status.tokensPerSecond')}
            value={rate(last?.tokensPerSecond)}
            points={points}
            lines={[{ pick: (p) => p.tokensPerSecond, className: 'line' }]}
            minTop={10}
          />
          <Trend
            label={t('status.errors')}
            value={percent(errors)}
            points={points}
            lines={[{ pick: (p) => p.errorShare, className: 'line bad' }]}
            minTop={1}
          />
        </dl>
      )}
      <h3>{t('status.recent')}</h3>
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
        {t('ui.models')}{' '}
        <span className="st-muted">{t('status.readyOf', { ready, n: status.models.length })}</span>
      </h3>
      <Models models={status.models} recent={status.recent} />
      <h3>{t('status.providers')}</h3>
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
      <h3>{t('status.connect')}</h3>
      <div className="st-connect">
        <code className="st-base">{apiBase()}</code>
        <div className="st-line">
          <CopyButton text={apiBase} label={t('about.copyBaseUrl')} caption={t('about.baseUrl')} />
          <CopyButton
            text={() => clientSnippet('python', root, model)}
            label={t('status.copyPython')}
            caption="Python"
          />
          <CopyButton
            text={() => clientSnippet('javascript', root, model)}
            label={t('status.copyJavascript')}
            caption="JavaScript"
          />
          <CopyButton
            text={() => clientSnippet('curl', root, model)}
            label={t('status.copyCurl')}
            caption="curl"
          />
        </div>
      </div>
    </>
  );
}

function rate(value: number | undefined): string {
  if (value === undefined) return '–';
  return value < 10 ? oneDecimal(value) : count(value);
}

function uptime(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return t('unit.s', { n: Math.floor(ms / 1000) });
  if (minutes < 60) return t('unit.min', { n: minutes });
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? t('unit.hMin', { n: hours, min: minutes % 60 })
    : t('unit.dH', { n: Math.floor(hours / 24), h: hours % 24 });
}
