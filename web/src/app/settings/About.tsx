import { useEffect, useState } from 'react';
import { apiBase, gatewayUrl } from '../../api/base';
import { gatewayStore } from '../../api/gateway';
import type { PageInfo } from '../../api/types';
import { t } from '../../i18n';
import { useStore } from '../../store/create-store';
import { CopyButton } from '../ui/CopyButton';
import { Mark } from '../ui/Mark';

const LICENCES = [
  ['Preact', 'MIT'],
  ['marked', 'MIT'],
  ['highlight.js', 'BSD-3-Clause'],
  ['Temml', 'MIT'],
];

export function About() {
  const { phase, status } = useStore(gatewayStore);
  const [page, setPage] = useState<PageInfo | null>(null);
  useEffect(() => {
    void fetch(gatewayUrl('trunkline/page'))
      .then((response) => (response.ok ? response.json() : null))
      .then(setPage)
      .catch(() => {});
  }, []);
  const version = status?.version ?? page?.version;
  const health = {
    ready: t('about.available'),
    loading: t('about.connecting'),
    down: t('about.down'),
    key: t('about.key'),
    rejected: t('about.rejected'),
  };
  return (
    <>
      <p className="wordmark big">
        <Mark />
        Trunkline
      </p>
      <dl className="facts wide">
        {version && <Row name={t('about.version')} value={version} />}
        <Row name={t('about.gateway')} value={health[phase]} />
        <div>
          <dt>{t('about.baseUrl')}</dt>
          <dd className="mono ltr">
            {apiBase()}
            <CopyButton text={apiBase} label={t('about.copyBaseUrl')} />
          </dd>
        </div>
        {page && (
          <Row
            name={t('about.keys')}
            value={page.key_required ? t('about.required') : t('about.notRequired')}
          />
        )}
      </dl>
      <h3>{t('about.components')}</h3>
      <dl className="facts wide">
        {LICENCES.map(([name, licence]) => (
          <Row key={name} name={name ?? ''} value={t('about.licence', { name: licence ?? '' })} />
        ))}
      </dl>
      <p className="hint">{t('about.hint')}</p>
    </>
  );
}

function Row({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
