import { gatewayStore, refreshGateway } from '../api/gateway';
import { t } from '../i18n';
import { useStore } from '../store/create-store';
import { saveFailed } from '../store/storage/chats';
import { Icon } from './ui/Icon';
import { useCountdown } from './use-countdown';
import { openSettings } from './view';

/** Page-wide states: gateway down, storage full. */
export function Banners() {
  const { phase, retryAt, problem, status } = useStore(gatewayStore);
  const full = useStore(saveFailed);
  return (
    <>
      {phase === 'down' && (
        <div className="banner" role="status">
          <Icon name="plug" size={16} />
          <span className="grow">{t('banner.down')}</span>
          <Retry at={retryAt} />
        </div>
      )}
      {phase === 'rejected' && (
        <div className="banner" role="status">
          <Icon name="warn" size={16} />
          <span className="grow">{t('banner.rejected', { problem: problem ?? '' })}</span>
        </div>
      )}
      {status?.draining && phase === 'ready' && (
        <div className="banner" role="status">
          <Icon name="info" size={16} />
          <span className="grow">{t('banner.draining')}</span>
        </div>
      )}
      {full && (
        <div className="banner bad" role="alert">
          <Icon name="warn" size={16} />
          <span className="grow">{t('banner.full')}</span>
          <button type="button" className="button small" onClick={() => openSettings('data')}>
            {t('banner.export')}
          </button>
        </div>
      )}
    </>
  );
}

function Retry({ at }: { at: number | null }) {
  const left = useCountdown(at);
  return (
    <button
      type="button"
      className="button small"
      translate="no"
      onClick={() => void refreshGateway()}
    >
      {left > 0 ? t('banner.retryIn', { time: t('unit.s', { n: left }) }) : t('banner.retrying')}
    </button>
  );
}
