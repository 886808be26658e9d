import './operator.css';
import { useEffect, useState } from 'react';
import { count, exactTime, money } from '../app/format';
import { perLanguage, t } from '../i18n';
import { LimitRows } from '../limits';
import { useStore } from '../store/create-store';
import {
  type Failure,
  type OperatorView,
  operatorStore,
  type Period,
  type Spender,
  type Spent,
  watchOperator,
} from './view';

/** More would push away what stands below. */
const FIRST_LIMITS = 5;
const FIRST_FAILURES = 5;
/** Of a request id. Before it stands what all ids of a worker have in common. */
const ID_TAIL = 8;

/** For operators: limits, spending and failures of all clients. */
export function Operator() {
  const view = useStore(operatorStore);
  useEffect(watchOperator, []);
  if (!view) return null;
  return (
    <section className="op" aria-label={t('operator.title')}>
      <header>
        <h3>{t('operator.title')}</h3>
        <span className="st-muted">{t('operator.asOf', { time: clock().format(view.at) })}</span>
      </header>
      <h4>{t('operator.spending')}</h4>
      <Spending view={view} />
      <h4>{t('operator.failures')}</h4>
      <Failures failures={view.failures} />
      <h4>{t('operator.limits')}</h4>
      <AllLimits view={view} />
    </section>
  );
}

const clock = perLanguage(
  (locale) =>
    new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
);

function Spending({ view }: { view: OperatorView }) {
  const { periods, teams, moreClients, ledgerFailed } = view;
  const most = Math.max(...teams.map((team) => team.amounts.at(-1)?.dollars ?? 0));
  return (
    <>
      {ledgerFailed && <p className="st-warn">{t('operator.ledgerFailed')}</p>}
      {teams.length === 0 ? (
        <p className="st-none">{t('operator.noSpending')}</p>
      ) : (
        <table className="op-spending">
          <thead>
            <tr>
              <th scope="col">{t('operator.client')}</th>
              {periods.map((period) => (
                <th key={period.name} scope="col" title={sinceText(period)}>
                  {periodName(period)}
                </th>
              ))}
            </tr>
          </thead>
          {teams.map((team) => (
            <tbody key={team.name}>
              <Row spender={team} label={team.name || t('operator.noTeam')} most={most} />
              {team.keys.map((key) => (
                <Row key={key.name} spender={key} label={key.name || t('operator.noKey')} />
              ))}
            </tbody>
          ))}
        </table>
      )}
      {moreClients > 0 && <p className="st-none">{t('operator.more', { n: moreClients })}</p>}
    </>
  );
}

/** `most`: of a team, which has a bar. */
function Row({ spender, label, most }: { spender: Spender; label: string; most?: number }) {
  const share = most ? (spender.amounts.at(-1)?.dollars ?? 0) / most : 0;
  return (
    <tr className={most === undefined ? 'op-key' : 'op-team'}>
      <th scope="row">
        <bdi>{label}</bdi>
        {share > 0 && (
          <svg
            className="op-bar mirrored"
            viewBox="0 0 1 1"
            preserveAspectRatio="none"
            aria-hidden="true"
          >
            <rect width={share} height={1} />
          </svg>
        )}
      </th>
      {spender.amounts.map((spent, i) => (
        <td key={i} title={tokensOf(spent)}>
          {money(spent.dollars)}
          {spent.unpriced > 0 && (
            <>
              <span aria-hidden="true"> +</span>
              <span className="visually-hidden">
                {t('list.comma') + t('operator.unpriced', { n: spent.unpriced })}
              </span>
            </>
          )}
        </td>
      ))}
    </tr>
  );
}

function tokensOf({ inputTokens, outputTokens, unpriced }: Spent): string {
  const tokens = t('operator.tokens', { in: count(inputTokens), out: count(outputTokens) });
  return unpriced > 0 ? `${tokens}\n${t('operator.unpriced', { n: unpriced })}` : tokens;
}

function periodName({ name }: Period): string {
  if (name === 'today') return t('operator.today');
  return name === 'month' ? t('operator.month') : t('operator.start');
}

const sinceText = ({ since }: Period) => t('operator.since', { time: exactTime(since) });

function Failures({ failures }: { failures: Failure[] }) {
  const [all, setAll] = useState(false);
  if (failures.length === 0) return <p className="st-none">{t('operator.noFailures')}</p>;
  return (
    <>
      <ol className="st-recent">
        {failures.slice(0, all ? undefined : FIRST_FAILURES).map((failure) => (
          <FailureRow key={failure.id} failure={failure} />
        ))}
      </ol>
      {!all && failures.length > FIRST_FAILURES && (
        <button type="button" className="button small st-all" onClick={() => setAll(true)}>
          {t('operator.showAll', { n: failures.length })}
        </button>
      )}
    </>
  );
}

function FailureRow({ failure }: { failure: Failure }) {
  const { at, id, key, model, provider, status, outcome, code } = failure;
  return (
    <li>
      <div className="st-line">
        <time dateTime={new Date(at).toISOString()} title={exactTime(at)}>
          {clock().format(at)}
        </time>
        <span className="st-name" title={key}>
          <bdi>{key || t('operator.noKey')}</bdi>
        </span>
        <span className="st-bad">
          {status} {(code || outcome).replaceAll('_', ' ')}
        </span>
      </div>
      <div className="st-line st-muted">
        <span>{[model, provider].filter(Boolean).join(' · ')}</span>
        <span className="op-id" title={id}>
          #{id.slice(-ID_TAIL)}
        </span>
      </div>
    </li>
  );
}

function AllLimits({ view: { limits, moreLimits } }: { view: OperatorView }) {
  const [all, setAll] = useState(false);
  if (limits.length === 0) return <p className="st-none">{t('operator.noLimits')}</p>;
  return (
    <>
      <div className="limits">
        <LimitRows limits={all ? limits : limits.slice(0, FIRST_LIMITS)} />
      </div>
      {!all && limits.length > FIRST_LIMITS && (
        <button type="button" className="button small st-all" onClick={() => setAll(true)}>
          {t('operator.showAll', { n: limits.length })}
        </button>
      )}
      {moreLimits > 0 && <p className="st-none">{t('operator.more', { n: moreLimits })}</p>}
    </>
  );
}
