import './limits.css';
import { useEffect, useState } from 'react';
import { useCountdown } from '../app/use-countdown';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import type { Fault, FaultLimit } from '../store/types';
import { Bar } from './Bar';
import { type Limit, limitsStore, watchLimits } from './own-limits';
import { amountText, isShort, limitText, quotaName, whenText } from './text';

interface Props {
  fault: Fault;
  limit: FaultLimit;
  onRetry: () => void;
}

/** Which of the caller's limits refused the request, how much is left, and when to come back. */
export function LimitCard({ fault, limit, onRetry }: Props) {
  const limits = useStore(limitsStore);
  // Figures from before the refusal tell nothing.
  const [before] = useState(limits);
  useEffect(watchLimits, []);
  const left = useCountdown(fault.retryAt);
  const { rule, subject, of, period } = limit;
  const allowed = Number(limit.limit);
  const used = Number(limit.used);
  const requested = Number(limit.requested ?? Number.NaN);
  const isBlocked = fault.kind === 'blocked';
  const mayWork =
    (fault.retryAt !== undefined && left === 0) || (limits !== before && hasRoom(limits, limit));
  const waits = left > 0 && !mayWork;
  // A short wait is told by the button.
  const counts = waits && isShort(left * 1000);
  const label = counts
    ? t('limits.retryWhen', { when: whenText(fault.retryAt ?? 0) })
    : waits
      ? t('limits.retryLater')
      : t('ui.retry');
  const what = isBlocked
    ? t('limits.blockedBy', { rule })
    : t('limits.rule', { rule, limit: limitText(of, period, allowed) });
  return (
    <>
      <p>{subject ? t('limits.ruleFor', { rule: what, subject }) : what}</p>
      {!isBlocked && (
        <div className="limit-amount">
          <Bar label={quotaName(of, period)} of={of} limit={allowed} used={used} />
          <p className="hint">
            {requested > 0
              ? t('limits.usedNeeded', {
                  used: amountText(of, used),
                  needed: amountText(of, requested),
                })
              : t('limits.used', { used: amountText(of, used) })}
          </p>
        </div>
      )}
      {!counts && <p translate="no">{mayWork ? t('limits.room') : comesBack(fault)}</p>}
      {fault.kind !== 'exceeds' && (
        <div className="error-actions">
          <button
            type="button"
            className="button primary"
            translate="no"
            disabled={!mayWork}
            onClick={onRetry}
          >
            {label}
          </button>
        </div>
      )}
    </>
  );
}

function comesBack(fault: Fault): string {
  if (fault.kind === 'exceeds') return t('limits.exceeds');
  if (fault.retryAt !== undefined) return t('limits.comesBack', { when: whenText(fault.retryAt) });
  return t('limits.never');
}

/** By the newest figures: an operator may have raised the limit. */
function hasRoom(limits: Limit[], { rule, subject, of, period, requested }: FaultLimit): boolean {
  const needed = Math.max(Number(requested ?? 0) || 0, Number.MIN_VALUE);
  const found = limits.filter((entry) => entry.rule === rule && entry.subject === subject);
  const amounts = found
    .flatMap((entry) => entry.amounts)
    .filter((amount) => amount.of === of && amount.period === period);
  return amounts.length > 0 && amounts.every((amount) => amount.remaining >= needed);
}
