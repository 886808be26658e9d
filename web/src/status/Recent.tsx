import { memo, useState } from 'react';
import type { RecentRequest } from '../api/types';
import { count, exactTime, milliseconds } from '../app/format';
import { perLanguage, t } from '../i18n';
import { jumpTo, locationOf } from './own-requests';

/** More would push away what stands below. */
const FIRST = 4;

export const Recent = memo(function Recent({ requests }: { requests: RecentRequest[] }) {
  const [all, setAll] = useState(false);
  if (requests.length === 0) return <p className="st-none">{t('status.noRecent')}</p>;
  return (
    <>
      <ol className="st-recent">
        {(all ? requests : requests.slice(0, FIRST)).map((request) => (
          <Request key={request.id} request={request} />
        ))}
      </ol>
      {!all && requests.length > FIRST && (
        <button type="button" className="button small st-all" onClick={() => setAll(true)}>
          {t('status.showRecent', { n: requests.length })}
        </button>
      )}
    </>
  );
});

const clock = perLanguage(
  (locale) =>
    new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
);

function Request({ request }: { request: RecentRequest }) {
  const bad = request.outcome !== 'ok';
  const location = locationOf(request.id);
  const tokens = tokensOf(request);
  return (
    <li>
      <div className="st-line">
        <time dateTime={new Date(request.at).toISOString()} title={exactTime(request.at)}>
          {clock().format(request.at)}
        </time>
        <span
          className="st-name ltr"
          title={`${request.model} → ${request.provider} ${request.upstream_model}`}
        >
          {request.model}
        </span>
        <span className={bad ? 'st-bad' : 'st-ok'}>
          {request.status}
          {bad && ` ${codeText(request.outcome)}`}
        </span>
      </div>
      <div className="st-line st-muted">
        <span>{request.provider}</span>
        {request.first_token_ms !== null && (
          <span>{t('status.first', { time: milliseconds(request.first_token_ms) })}</span>
        )}
        <span>{milliseconds(request.duration_ms)}</span>
        {tokens && <span>{tokens}</span>}
        {location && (
          <button type="button" className="st-jump" onClick={() => jumpTo(location)}>
            {t('status.showMessage')}
          </button>
        )}
      </div>
    </li>
  );
}

function tokensOf({ input_tokens: input, output_tokens: output }: RecentRequest): string {
  if (input === null && output === null) return '';
  const one = (n: number | null) => (n === null ? '?' : count(n));
  return t('status.tokens', { in: one(input), out: one(output) });
}

/** `upstream_timeout` becomes `upstream timeout`. */
export function codeText(code: string): string {
  return code.replaceAll('_', ' ');
}
