import { useEffect, useState } from 'react';
import { gatewayStore, refreshGateway } from '../api/gateway';
import { trouble } from '../store/chats';
import { useStore } from '../store/create';
import { Icon } from './ui/Icon';
import { openSettings } from './view';

/** What concerns the whole page: a gateway that is away, a disk that is full. */
export function Banners() {
  const { phase, retryAt, problem, status } = useStore(gatewayStore);
  const full = useStore(trouble);
  return (
    <>
      {phase === 'down' && (
        <div className="banner" role="status">
          <Icon name="plug" size={16} />
          <span className="grow">
            The gateway does not answer. Your conversations are here all the same.
          </span>
          <Retry at={retryAt} />
        </div>
      )}
      {phase === 'refused' && (
        <div className="banner" role="status">
          <Icon name="warn" size={16} />
          <span className="grow">The gateway does not let this page in: {problem}</span>
        </div>
      )}
      {status?.draining && phase === 'ready' && (
        <div className="banner" role="status">
          <Icon name="info" size={16} />
          <span className="grow">The gateway is shutting down and takes no new requests.</span>
        </div>
      )}
      {full && (
        <div className="banner bad" role="alert">
          <Icon name="warn" size={16} />
          <span className="grow">
            This browser has no room left. New messages last until the page is closed.
          </span>
          <button type="button" className="button small" onClick={() => openSettings('data')}>
            Export
          </button>
        </div>
      )}
    </>
  );
}

function Retry({ at }: { at: number | null }) {
  const left = useCountdown(at);
  return (
    <button type="button" className="button small" onClick={() => void refreshGateway()}>
      {left > 0 ? `Retry (${left} s)` : 'Retrying…'}
    </button>
  );
}

/** Whole seconds until a moment, drawn anew each second. */
export function useCountdown(at: number | null | undefined): number {
  const [, tick] = useState(0);
  const left = at ? Math.max(0, Math.ceil((at - Date.now()) / 1000)) : 0;
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => tick((n) => n + 1), 1000);
    return () => clearTimeout(timer);
  });
  return left;
}
