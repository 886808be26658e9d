import { useEffect, useState } from 'react';
import { apiBase, gatewayUrl } from '../../api/base';
import { gatewayStore } from '../../api/gateway';
import type { PageInfo } from '../../api/types';
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
    ready: 'available',
    loading: 'connecting',
    down: 'not responding',
    key: 'requires a key',
    rejected: 'rejects this page',
  };
  return (
    <>
      <p className="wordmark big">
        <Mark />
        Trunkline
      </p>
      <dl className="facts wide">
        {version && <Row name="Version" value={version} />}
        <Row name="Gateway" value={health[phase]} />
        <div>
          <dt>Base URL</dt>
          <dd className="mono">
            {apiBase()}
            <CopyButton text={apiBase} label="Copy base URL" />
          </dd>
        </div>
        {page && <Row name="Client keys" value={page.key_required ? 'required' : 'not required'} />}
      </dl>
      <h3>Open-source components</h3>
      <dl className="facts wide">
        {LICENCES.map(([name, licence]) => (
          <Row key={name} name={name ?? ''} value={`${licence} licence`} />
        ))}
      </dl>
      <p className="hint">
        The page loads nothing from other hosts and sends your requests to this gateway only.
      </p>
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
