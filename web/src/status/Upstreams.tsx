import { memo, useState } from 'react';
import { targetsOut } from '../api/gateway';
import type { ModelStatus, ProviderStatus } from '../api/types';
import { count, exactTime, milliseconds } from '../app/format';
import { CopyButton } from '../app/ui/CopyButton';
import { codeText } from './Recent';
import { Targets } from './Targets';

/** Longer lists are cut until "Show all". */
const FIRST_MODELS = 60;

const STATES: Record<string, [string, string]> = {
  not_configured: ['idle', 'Not set up'],
  unknown: ['idle', 'No traffic yet'],
  ok: ['ok', 'OK'],
  failing: ['bad', 'Failing'],
};

export const Providers = memo(function Providers({ providers }: { providers: ProviderStatus[] }) {
  return (
    <ul className="st-list">
      {providers.map((provider) => (
        <Provider key={provider.name} provider={provider} />
      ))}
    </ul>
  );
});

function Provider({ provider }: { provider: ProviderStatus }) {
  const [tone, word] = STATES[provider.state] ?? ['warn', codeText(provider.state)];
  const share = provider.total > 0 ? 1 - provider.failed / provider.total : null;
  return (
    <li>
      <div className="st-line">
        <span className={`st-dot ${tone}`} aria-hidden="true" />
        <span className="st-name">{provider.name}</span>
        <span className={`st-${tone}`}>{word}</span>
      </div>
      {provider.missing ? (
        <Missing name={provider.missing} />
      ) : (
        <div className="st-line st-muted">
          <span>{count(provider.total)} requests</span>
          {share !== null && <span>{Math.floor(share * 1000) / 10} % ok</span>}
          {provider.first_byte_ms.p50 !== null && (
            <span>p50 {milliseconds(provider.first_byte_ms.p50)}</span>
          )}
          {provider.in_flight > 0 && <span>{count(provider.in_flight)} in flight</span>}
        </div>
      )}
      {provider.last_error && (
        <div className="st-line st-muted">
          <span title={exactTime(provider.last_error.at)}>
            Last error: {codeText(provider.last_error.code)}
          </span>
        </div>
      )}
    </li>
  );
}

export const Models = memo(function Models({ models }: { models: ModelStatus[] }) {
  // Ready models first.
  const sorted = [...models].sort((a, b) => Number(b.ready) - Number(a.ready));
  const [all, setAll] = useState(false);
  return (
    <>
      <ul className="st-list">
        {(all ? sorted : sorted.slice(0, FIRST_MODELS)).map((model) => (
          <Model key={model.id} model={model} />
        ))}
      </ul>
      {!all && sorted.length > FIRST_MODELS && (
        <button type="button" className="button small" onClick={() => setAll(true)}>
          Show all {count(sorted.length)} models
        </button>
      )}
    </>
  );
});

const Model = memo(function Model({ model }: { model: ModelStatus }) {
  const out = targetsOut(model.targets);
  let [tone, word] = model.ready ? ['ok', 'Ready'] : ['idle', 'Not ready'];
  if (out.count > 0)
    [tone, word] = out.all ? ['bad', 'All targets unavailable'] : ['warn', 'Partly ready'];
  return (
    <li>
      <div className="st-line">
        <span className={`st-dot ${tone}`} aria-hidden="true" />
        <span className="st-name" title={`${model.provider} ${model.upstream_model}`}>
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
      <span>{targets > 1 ? `${count(targets)} targets` : model.provider}</span>
      {p50 !== null && (
        <span title={p95 === null ? undefined : `95 of 100 within ${milliseconds(p95)}`}>
          first token {milliseconds(p50)}
        </span>
      )}
      {model.in_flight > 0 && <span>{count(model.in_flight)} in flight</span>}
    </div>
  );
}

function Missing({ name }: { name: string }) {
  return (
    <div className="st-line st-muted">
      <span>
        Needs <code>{name}</code>
      </span>
      <CopyButton text={() => name} label={`Copy ${name}`} className="st-copy" />
    </div>
  );
}
