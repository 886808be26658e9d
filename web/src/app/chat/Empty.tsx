import { apiBase } from '../../api/base';
import { gatewayStore } from '../../api/gateway';
import { useStore } from '../../store/create-store';
import { notify } from '../../store/notices';
import { nextIsTemporary } from '../../store/temporary';
import { setDraft } from '../composer/draft';
import { milliseconds } from '../format';
import { toggleStatus } from '../hotkeys';
import { openComparison } from '../open-comparison';
import { copyText } from '../ui/copy';
import { Icon, type IconName } from '../ui/Icon';
import { Mark } from '../ui/Mark';

export function Intro() {
  const temporary = useStore(nextIsTemporary);
  return (
    <div className="intro">
      <p className="wordmark">
        <Mark />
        Trunkline
      </p>
      <p className="empty-title">
        {temporary ? 'This chat will be kept nowhere' : 'Ask any model behind this gateway'}
      </p>
    </div>
  );
}

/** The start page: gateway health and first steps. */
export function Empty({ model }: { model: string }) {
  const { phase, models, status } = useStore(gatewayStore);
  if (phase === 'key' || (phase === 'down' && models.length === 0)) return null;
  const ready = models.filter((model) => model.ready);
  const isDemo = ready.length > 0 && ready.every((model) => model.provider === 'demo');
  return (
    <>
      <Live />
      {ready.length > 0 && (
        <div className="starts">
          <Start
            icon="chat"
            title={isDemo ? 'Ask the demo model' : 'Send a first message'}
            text={
              isDemo
                ? 'Streams an answer without any key'
                : `${model} answers, with timing and tokens`
            }
            run={() =>
              setDraft(null, {
                text: 'Show me a table of what you can do, and some code.',
                attachments: [],
              })
            }
          />
          <Start
            icon="compare"
            title="Compare models"
            text="One question, up to four answers side by side"
            run={() => openComparison([model])}
          />
          <Start
            icon="code"
            title="Call it from code"
            text="Copy the base URL for any OpenAI SDK"
            run={() =>
              void copyText(apiBase()).then((done) => done && notify(`Copied: ${apiBase()}`))
            }
          />
        </div>
      )}
      {isDemo && status && (
        <p className="fine">
          Only the built-in demo model is available so far.{' '}
          <button type="button" className="link" onClick={toggleStatus}>
            See what is missing
          </button>{' '}
          to use a provider.
        </p>
      )}
    </>
  );
}

function Live() {
  const { models, status, phase } = useStore(gatewayStore);
  if (phase === 'loading') return <p className="live-row">Asking the gateway…</p>;
  if (models.length === 0) return null;
  const ready = models.filter((model) => model.ready).length;
  const fastest = models
    .flatMap((model) => (model.ready && model.firstTokenMs !== null ? model.firstTokenMs : []))
    .sort((a, b) => a - b);
  const median = fastest[Math.floor((fastest.length - 1) / 2)];
  return (
    <p className="live-row">
      <span className={`lamp ${ready > 0 ? 'ok' : 'off'}`} aria-hidden="true" />
      <span>
        {status ? `${ready} of ${models.length} models ready` : `${ready} models ready`}
        {median !== undefined && ` · p50 first token ${milliseconds(median)}`}
        {status && status.requests.in_flight > 0 && ` · ${status.requests.in_flight} in flight`}
      </span>
    </p>
  );
}

interface StartProps {
  icon: IconName;
  title: string;
  text: string;
  run: () => void;
}

function Start({ icon, title, text, run }: StartProps) {
  return (
    <button type="button" className="start" onClick={run}>
      <Icon name={icon} size={18} />
      <span className="start-title">{title}</span>
      <span className="start-text">{text}</span>
    </button>
  );
}
