import { refreshGateway } from '../../api/gateway';
import type { Model } from '../../api/types';
import { t } from '../../i18n';
import { joined } from '../format';
import { CopyButton } from '../ui/CopyButton';

/** No model is ready: shows the missing environment variables. */
export function Setup({ models }: { models: Model[] }) {
  const missing = new Map<string, string[]>();
  for (const { missing: name, id } of models) {
    if (!name) continue;
    missing.set(name, [...(missing.get(name) ?? []), id]);
  }
  return (
    <section className="card setup" aria-label={t('setup.label')}>
      <h2>{t('setup.title')}</h2>
      {missing.size === 0 ? (
        <p>{t('setup.none')}</p>
      ) : (
        <>
          <p>{t('setup.set')}</p>
          <ul className="setup-list">
            {[...missing].map(([name, ids]) => (
              <li key={name}>
                <code>{name}</code>
                <span className="hint grow ellipsis ltr">{joined(ids)}</span>
                <CopyButton text={() => `export ${name}=`} label={t('setup.copy', { name })} />
              </li>
            ))}
          </ul>
        </>
      )}
      <button type="button" className="button" onClick={() => void refreshGateway()}>
        {t('setup.again')}
      </button>
    </section>
  );
}
