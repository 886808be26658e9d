import './limits.css';
import { useEffect } from 'react';
import { joined } from '../app/format';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import { Bar } from './Bar';
import { type Limit, type LimitAmount, limitsStore, watchLimits } from './own-limits';
import { amountText, quotaName, whenText } from './text';

/** The caller's own limits; nothing without any. */
export function Limits() {
  const limits = useStore(limitsStore);
  useEffect(watchLimits, []);
  if (limits.length === 0) return null;
  return (
    <section className="limits" aria-label={t('limits.title')}>
      <h3>{t('limits.title')}</h3>
      <LimitRows limits={limits} />
    </section>
  );
}

export function LimitRows({ limits }: { limits: Limit[] }) {
  return (
    <ul>
      {limits.map(({ rule, subject, user, model, provider, observes, amounts }) => (
        <li key={[rule, subject, user, model, provider].join(' ')}>
          <div className="limit-line">
            <span className="limit-rule">{rule}</span>
            <span className="hint">
              {joined(
                [
                  subject,
                  user && t('limits.user', { name: user }),
                  model,
                  provider,
                  observes && t('limits.observes'),
                ].flatMap((part) => part || []),
              )}
            </span>
          </div>
          {amounts.map((amount) => (
            <Amount key={`${amount.of} ${amount.period}`} amount={amount} />
          ))}
        </li>
      ))}
    </ul>
  );
}

/** Unlike a day or a month, which ends at once, these fill up steadily. */
const refills = (period: string | undefined) =>
  period === 'second' || period === 'minute' || period === 'hour';

function Amount({ amount }: { amount: LimitAmount }) {
  const { of, period, limit, used, reserved, resetsAt } = amount;
  const name = quotaName(of, period);
  const blocked = limit === 0;
  const when = !blocked && used > 0 && resetsAt !== undefined ? whenText(resetsAt) : '';
  return (
    <div className="limit-amount">
      <div className="limit-line">
        <span>{name}</span>
        <span
          className="limit-figures"
          title={reserved ? t('limits.reserved', { amount: amountText(of, reserved) }) : undefined}
        >
          {blocked
            ? t('limits.isBlocked')
            : t('limits.usedOf', { used: amountText(of, used), limit: amountText(of, limit) })}
        </span>
      </div>
      <Bar label={name} of={of} limit={limit} used={used} />
      {when && (
        <div className="hint">
          {refills(period) ? t('limits.refills', { when }) : t('limits.begins', { when })}
        </div>
      )}
    </div>
  );
}
