import './limits.css';
import { useEffect } from 'react';
import { useStore } from '../store/create-store';
import { Bar } from './Bar';
import { type LimitAmount, limitsStore, watchLimits } from './own-limits';
import { amountText, quotaName, whenText } from './text';

/** The caller's own limits; nothing without any. */
export function Limits() {
  const limits = useStore(limitsStore);
  useEffect(watchLimits, []);
  if (limits.length === 0) return null;
  return (
    <section className="limits" aria-label="Your limits">
      <h3>Your limits</h3>
      <ul>
        {limits.map(({ rule, subject, user, model, provider, amounts }) => (
          <li key={[rule, subject, user, model, provider].join(' ')}>
            <div className="limit-line">
              <span className="limit-rule">{rule}</span>
              <span className="hint">
                {[subject, user && `user ${user}`, model, provider].filter(Boolean).join(', ')}
              </span>
            </div>
            {amounts.map((amount) => (
              <Amount key={`${amount.of} ${amount.period}`} amount={amount} />
            ))}
          </li>
        ))}
      </ul>
    </section>
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
          title={
            reserved ? `${amountText(of, reserved)} of it reserved by running requests` : undefined
          }
        >
          {blocked ? 'blocked' : `${amountText(of, used)} of ${amountText(of, limit)}`}
        </span>
      </div>
      <Bar label={name} of={of} limit={limit} used={used} />
      {when && (
        <div className="hint">
          {refills(period) ? 'Whole again' : 'Begins anew'} {when}
        </div>
      )}
    </div>
  );
}
