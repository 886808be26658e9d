import { memo, type ReactNode, useState } from 'react';
import { type Health, modelHealth } from '../api/health';
import type { ModelStatus, ProviderStatus, RecentRequest } from '../api/types';
import { exactTime, milliseconds, percent } from '../app/format';
import { CopyButton } from '../app/ui/CopyButton';
import { rich, t } from '../i18n';
import { codeText } from './Recent';
import { Targets } from './Targets';

/** Longer lists are cut until "Show all". */
const FIRST_MODELS = 60;

const STATES: Record<string, [string, () => string]> = {
  not_configured: ['off', () => t('health.notSetUp')],
  unknown: ['off', () => t('status.noTraffic')],
  ok: ['ok', () => t('status.ok')],
  failing: ['bad', () => t('health.failing')],
};

export const Providers = memo(function Providers({ providers }: { providers: ProviderStatus[] }) {
  const rows = (some: ProviderStatus[]) => (
    <ul className="st-list">
      {some.map((provider) => (
        <Provider key={provider.name} provider={provider} />
      ))}
    </ul>
  );
  const ready = providers.filter((provider) => provider.ready);
  return (
    <>
      {ready.length > 0 && rows(ready)}
      <Folded
        rows={providers.filter((provider) => !provider.ready)}
        open={ready.every(isDemo)}
        draw={rows}
      />
    </>
  );
});

const isDemo = ({ name }: ProviderStatus) => name === 'demo';

interface FoldedProps<T> {
  /** What is not set up. */
  rows: T[];
  /** Where nothing else is set up, this is what is looked for. */
  open: boolean;
  draw: (rows: T[]) => ReactNode;
}

function Folded<T>({ rows, open, draw }: FoldedProps<T>) {
  const [shown, setShown] = useState(open);
  if (rows.length === 0) return null;
  return (
    <details
      className="st-fold"
      open={shown}
      onToggle={(event) => setShown(event.currentTarget.open)}
    >
      <summary>{t('status.notSetUp', { n: rows.length })}</summary>
      {shown && draw(rows)}
    </details>
  );
}

function Provider({ provider }: { provider: ProviderStatus }) {
  const [tone, word] = STATES[provider.state] ?? ['warn', () => codeText(provider.state)];
  const share = provider.total > 0 ? 1 - provider.failed / provider.total : null;
  return (
    <li>
      <div className="st-line">
        <span className={`st-dot ${tone}`} aria-hidden="true" />
        <span className="st-name ltr">{provider.name}</span>
        <span className={`st-${tone}`}>{word()}</span>
      </div>
      {provider.missing ? (
        <Missing name={provider.missing} />
      ) : (
        <div className="st-line st-muted">
          <span>{t('status.requestCount', { n: provider.total })}</span>
          {share !== null && (
            <span>
              {t('status.okShare', { percent: percent(Math.floor(share * 1000) / 1000) })}
            </span>
          )}
          {provider.first_byte_ms.p50 !== null && (
            <span>{t('status.p50', { time: milliseconds(provider.first_byte_ms.p50) })}</span>
          )}
          {provider.in_flight > 0 && (
            <span>{t('status.inFlightCount', { n: provider.in_flight })}</span>
          )}
        </div>
      )}
      {provider.last_error && (
        <div className="st-line st-muted">
          <span title={exactTime(provider.last_error.at)}>
            {t('status.lastError', { code: codeText(provider.last_error.code) })}
          </span>
        </div>
      )}
    </li>
  );
}

interface ModelsProps {
  models: ModelStatus[];
  /** The last requests. */
  recent: RecentRequest[];
}

export const Models = memo(function Models({ models, recent }: ModelsProps) {
  const [all, setAll] = useState(false);
  const rows = (some: ModelStatus[]) => (
    <>
      <ul className="st-list">
        {(all ? some : some.slice(0, FIRST_MODELS)).map((model) => (
          <Model key={model.id} model={model} {...modelHealth(model, recent)} />
        ))}
      </ul>
      {!all && some.length > FIRST_MODELS && (
        <button type="button" className="button small" onClick={() => setAll(true)}>
          {t('status.showAll', { n: some.length })}
        </button>
      )}
    </>
  );
  const ready = models.filter((model) => model.ready);
  return (
    <>
      {ready.length > 0 && rows(ready)}
      <Folded
        rows={models.filter((model) => !model.ready)}
        open={ready.every((model) => model.provider === 'demo')}
        draw={rows}
      />
    </>
  );
});

const Model = memo(function Model({ model, tone, word }: Health & { model: ModelStatus }) {
  return (
    <li>
      <div className="st-line">
        <span className={`st-dot ${tone}`} aria-hidden="true" />
        <span className="st-name ltr" title={`${model.provider} ${model.upstream_model}`}>
          {model.id}
        </span>
        <span className={`st-${tone}`}>{word}</span>
      </div>
      {model.missing ? <Missing name={model.missing} /> : <Figures model={model} />}
      <Targets targets={model.targets ?? []} />
    </li>
  );
});

function Figures({ model }: { model: ModelStatus }) {
  const { p50, p95 } = model.first_token_ms;
  const targets = model.targets?.length ?? 1;
  return (
    <div className="st-line st-muted">
      <span>{targets > 1 ? t('status.targetCount', { n: targets }) : model.provider}</span>
      {p50 !== null && (
        <span title={p95 === null ? undefined : t('status.within', { time: milliseconds(p95) })}>
          {t('status.firstToken', { time: milliseconds(p50) })}
        </span>
      )}
      {model.in_flight > 0 && <span>{t('status.inFlightCount', { n: model.in_flight })}</span>}
    </div>
  );
}

function Missing({ name }: { name: string }) {
  return (
    <div className="st-line st-muted">
      <span>{rich('status.needs', { name: <code>{name}</code> })}</span>
      <CopyButton text={() => name} label={t('setup.copy', { name })} className="st-copy" />
    </div>
  );
}
