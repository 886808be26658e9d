import { gatewayStore } from '../../api/gateway';
import { forgetKey } from '../../api/key';
import { rich, t } from '../../i18n';
import { loadModule } from '../../load-module';
import { continueAnswer, regenerate } from '../../store/actions';
import { useStore } from '../../store/create-store';
import { readyModels } from '../../store/model-choice';
import type { Fault, Message } from '../../store/types';
import { newChat } from '../hotkeys';
import { CopyButton } from '../ui/CopyButton';
import { Icon } from '../ui/Icon';
import { lazyPart } from '../ui/lazy-part';
import { useCountdown } from '../use-countdown';
import { command } from '../view';
import { type FaultAction, faultText } from './fault-text';

const LimitCard = lazyPart(
  () => loadModule(() => import('../../limits')).then((m) => m.LimitCard),
  {
    before: ({ fault }) => <p dir="auto">{fault.message}</p>,
    quiet: true,
  },
);

interface Props {
  chatId: string;
  message: Message;
  fault: Fault;
}

/** An error in place of the answer: its cause and one action. */
export function ErrorCard({ chatId, message, fault }: Props) {
  const text = faultText(fault);
  const isLocal = fault.status === undefined && fault.code === undefined;
  const left = useCountdown(fault.retryAt);
  const tokens = message.metrics?.outputTokens;
  const title = fault.kind === 'cut' && tokens ? t('error.lostAfter', { n: tokens }) : text.title;
  // Nothing received, nothing to continue.
  const action = text.action === 'continue' && !message.text ? 'retry' : text.action;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div role="group" className="card error" data-kind={fault.kind} aria-label={t('error.label')}>
      <h3>
        <Icon name={text.icon} />
        {title}
      </h3>
      {fault.limit ? (
        <LimitCard fault={fault} limit={fault.limit} onRetry={() => regenerate(chatId, message)} />
      ) : (
        <p dir="auto">{(!isLocal && text.cause) || fault.message}</p>
      )}
      {fault.missing && (
        <p className="error-missing">
          {rich('error.missing', {
            name: (
              <span className="nowrap">
                <code>{fault.missing}</code>
                <CopyButton
                  text={() => `export ${fault.missing}=`}
                  label={t('setup.copy', { name: fault.missing })}
                />
              </span>
            ),
          })}
        </p>
      )}
      {!isLocal && text.cause && !fault.limit && (
        <p className="error-message" dir="auto">
          {fault.message}
        </p>
      )}
      {/* The card of a limit has a retry of its own. */}
      {!(fault.limit && text.action === 'retry') && (
        <div className="error-actions">
          <Primary action={action} chatId={chatId} message={message} left={left} />
          {action === 'continue' && <Retry chatId={chatId} message={message} />}
          <Switch chatId={chatId} message={message} fault={fault} />
        </div>
      )}
      <Details fault={fault} />
    </div>
  );
}

interface ActionProps {
  chatId: string;
  message: Message;
}

function Primary({
  action,
  chatId,
  message,
  left,
}: ActionProps & { action: FaultAction; left: number }) {
  const actions: Record<FaultAction, [string, () => void] | null> = {
    retry: [
      left > 0 ? t('error.retryNow', { time: t('unit.s', { n: left }) }) : t('ui.retry'),
      () => regenerate(chatId, message),
    ],
    continue: [t('answer.continue'), () => continueAnswer(chatId, message)],
    key: [t('error.enterKey'), showKeyCard],
    model: [t('error.chooseModel'), () => command('models')],
    'new-chat': [t('app.newChat'), newChat],
    status: null,
    none: null,
  };
  const found = actions[action];
  if (!found) return null;
  return (
    // It may count down.
    <button type="button" className="button primary" translate="no" onClick={found[1]}>
      {found[0]}
    </button>
  );
}

function showKeyCard(): void {
  // The next poll, without a key, shows the key card.
  forgetKey();
  gatewayStore.update((now) => ({ ...now, phase: 'key' }));
  setTimeout(() => command('key'));
}

function Retry({ chatId, message }: ActionProps) {
  return (
    <button type="button" className="button" onClick={() => regenerate(chatId, message)}>
      {t('ui.retry')}
    </button>
  );
}

/** Offers another ready model. */
function Switch({ chatId, message, fault }: ActionProps & { fault: Fault }) {
  const { models } = useStore(gatewayStore);
  const withSwitch = [
    'rate',
    'overloaded',
    'upstream',
    'server',
    'timeout',
    'setup',
    'upstream-key',
    'payment',
    'model',
  ];
  if (!withSwitch.includes(fault.kind)) return null;
  const usable = readyModels(models).filter(
    (model) => model.health.tone !== 'bad' && model.id !== message.model,
  );
  const other = usable.find((model) => model.provider !== message.provider) ?? usable[0];
  if (!other) return null;
  return (
    <button type="button" className="button" onClick={() => regenerate(chatId, message, other.id)}>
      {t('error.askOther', { model: other.id })}
    </button>
  );
}

function Details({ fault }: { fault: Fault }) {
  const rows = [
    [t('error.status'), fault.status],
    [t('error.code'), fault.code],
    [t('error.type'), fault.type],
    [t('error.param'), fault.param],
    [t('error.provider'), fault.provider],
    [t('timing.requestId'), fault.requestId],
  ].filter(([, value]) => value !== undefined);
  if (rows.length === 0 && !fault.raw) return null;
  const all = [...rows.map(([name, value]) => `${name}: ${value}`), fault.raw].filter(Boolean);
  return (
    <details className="error-details">
      <summary>{t('error.details')}</summary>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="mono ltr">{value}</dd>
          </div>
        ))}
      </dl>
      {fault.raw && <pre dir="ltr">{fault.raw}</pre>}
      <CopyButton
        text={() => all.join('\n')}
        label={t('error.copyDetails')}
        caption={t('ui.copy')}
      />
    </details>
  );
}
