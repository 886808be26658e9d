import { gatewayStore } from '../../api/gateway';
import { forgetKey } from '../../api/key';
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

const LimitCard = lazyPart(() => import('../../limits').then((m) => m.LimitCard), {
  before: ({ fault }) => <p>{fault.message}</p>,
  quiet: true,
});

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
  const lost = fault.kind === 'cut' && tokens ? ` after ${tokens} tokens` : '';
  // Nothing received, nothing to continue.
  const action = text.action === 'continue' && !message.text ? 'retry' : text.action;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div role="group" className="card error" data-kind={fault.kind} aria-label="Error">
      <h3>
        <Icon name={text.icon} />
        {text.title}
        {lost}
      </h3>
      {fault.limit ? (
        <LimitCard fault={fault} limit={fault.limit} onRetry={() => regenerate(chatId, message)} />
      ) : (
        <p>{(!isLocal && text.cause) || fault.message}</p>
      )}
      {fault.missing && (
        <p className="error-missing">
          Set{' '}
          <span className="nowrap">
            <code>{fault.missing}</code>
            <CopyButton text={() => `export ${fault.missing}=`} label={`Copy ${fault.missing}`} />
          </span>{' '}
          in the gateway's environment and restart it.
        </p>
      )}
      {!isLocal && text.cause && !fault.limit && <p className="error-message">{fault.message}</p>}
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
    retry: [left > 0 ? `Retry now (${left} s)` : 'Retry', () => regenerate(chatId, message)],
    continue: ['Continue', () => continueAnswer(chatId, message)],
    key: ['Enter a key', showKeyCard],
    model: ['Choose another model', () => command('models')],
    'new-chat': ['New chat', newChat],
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
      Retry
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
      Ask {other.id} instead
    </button>
  );
}

function Details({ fault }: { fault: Fault }) {
  const rows = Object.entries({
    Status: fault.status,
    Code: fault.code,
    Type: fault.type,
    Parameter: fault.param,
    Provider: fault.provider,
    'Request id': fault.requestId,
  }).filter(([, value]) => value !== undefined);
  if (rows.length === 0 && !fault.raw) return null;
  const all = [...rows.map(([name, value]) => `${name}: ${value}`), fault.raw].filter(Boolean);
  return (
    <details className="error-details">
      <summary>Details</summary>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="mono">{value}</dd>
          </div>
        ))}
      </dl>
      {fault.raw && <pre>{fault.raw}</pre>}
      <CopyButton text={() => all.join('\n')} label="Copy the details" caption="Copy" />
    </details>
  );
}
