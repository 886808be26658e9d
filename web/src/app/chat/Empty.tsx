import { apiBase } from '../../api/base';
import { gatewayStore } from '../../api/gateway';
import { rich, t } from '../../i18n';
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
      <p className="empty-title">{temporary ? t('empty.temporary') : t('empty.title')}</p>
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
            title={isDemo ? t('empty.demoTitle') : t('empty.firstTitle')}
            text={isDemo ? t('empty.demoText') : t('empty.firstText', { model })}
            run={() => setDraft(null, { text: t('empty.demoQuestion'), attachments: [] })}
          />
          <Start
            icon="compare"
            title={t('app.compare')}
            text={t('empty.compareText')}
            run={() => openComparison([model])}
          />
          <Start
            icon="code"
            title={t('empty.codeTitle')}
            text={t('empty.codeText')}
            run={() =>
              void copyText(apiBase()).then(
                (done) => done && notify(t('empty.copied', { what: apiBase() })),
              )
            }
          />
        </div>
      )}
      {isDemo && status && (
        <p className="fine">
          {rich('empty.demoOnly', {
            link: (
              <button type="button" className="link" onClick={toggleStatus}>
                {t('empty.demoOnlyLink')}
              </button>
            ),
          })}
        </p>
      )}
    </>
  );
}

function Live() {
  const { models, status, phase } = useStore(gatewayStore);
  if (phase === 'loading') return <p className="live-row">{t('empty.asking')}</p>;
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
        {status ? t('empty.readyOf', { ready, n: models.length }) : t('empty.ready', { n: ready })}
        {median !== undefined && ` · ${t('empty.firstToken', { time: milliseconds(median) })}`}
        {status &&
          status.requests.in_flight > 0 &&
          ` · ${t('empty.inFlight', { n: status.requests.in_flight })}`}
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
