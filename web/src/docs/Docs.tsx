import './docs.css';
import './try.css';
import { useEffect, useState } from 'react';
import { apiBase, gatewayUrl } from '../api/base';
import { gatewayStore, startGateway } from '../api/gateway';
import { CopyButton } from '../app/ui/CopyButton';
import { Mark } from '../app/ui/Mark';
import { t } from '../i18n';
import type { SnippetLanguage } from '../snippets';
import { useStore } from '../store/create-store';
import { Forwarded } from './Forwarded';
import { KeyField } from './KeyField';
import { anchor, OperationCard } from './OperationCard';
import { type Operation, readSpec, type Spec } from './spec';
import { Text } from './Text';

/** The API reference, rendered from `openapi.json`. */
export function Docs() {
  const [spec, setSpec] = useState<Spec | null>(null);
  const [problem, setProblem] = useState('');
  const load = () => {
    setProblem('');
    fetchSpec().then(setSpec, (error: Error) => setProblem(error.message));
  };
  useEffect(() => {
    document.title = `${t('app.docs')} · Trunkline`;
    startGateway();
    load();
  }, []);
  return (
    <div className="dx">
      <header className="dx-head">
        <div className="dx-bar">
          <a className="dx-mark" href={gatewayUrl('.')}>
            <Mark />
            Trunkline
          </a>
          <span className="dx-muted">
            {t('app.docs')}
            {spec && ` · ${spec.version}`}
          </span>
          <a className="dx-back" href={gatewayUrl('.')}>
            {t('docs.chat')}
          </a>
        </div>
      </header>
      {spec ? (
        <Reference spec={spec} />
      ) : (
        <main className="dx-main">
          <h1>{t('app.docs')}</h1>
          <p role="status">{problem || t('docs.loading')}</p>
          {problem && (
            <button type="button" className="button" onClick={load}>
              {t('docs.again')}
            </button>
          )}
        </main>
      )}
    </div>
  );
}

async function fetchSpec(): Promise<Spec> {
  const failed = t('docs.failed');
  const response = await fetch(gatewayUrl('openapi.json')).catch(() => null);
  if (!response?.ok) throw new Error(failed);
  return readSpec(
    await response.json().catch(() => {
      throw new Error(failed);
    }),
  );
}

function Reference({ spec }: { spec: Spec }) {
  const gateway = useStore(gatewayStore);
  const [language, setLanguage] = useState<SnippetLanguage>('curl');
  const model = gateway.models.find((model) => model.ready)?.id ?? 'demo';
  const root = gatewayUrl('.').replace(/\/$/, '');
  const groups = grouped(spec.operations);
  const current = useCurrent(spec.operations);
  // The browser could not scroll to the fragment before its element existed.
  useEffect(() => {
    const id = location.hash.slice(1);
    if (id) document.getElementById(id)?.scrollIntoView();
  }, []);
  return (
    <div className="dx-columns">
      <nav className="dx-nav" aria-label={t('docs.endpoints')}>
        {groups.map(([tag, operations]) => (
          <div key={tag}>
            <h2 lang="en">{tag}</h2>
            <ul>
              {operations.map((operation) => (
                <li key={operation.id}>
                  <a
                    href={`#${anchor(operation)}`}
                    aria-current={operation === current ? 'location' : undefined}
                  >
                    <bdi lang="en">{operation.summary}</bdi>
                  </a>
                </li>
              ))}
            </ul>
          </div>
        ))}
        <ul>
          <li>
            <a href="#forwarded">{t('docs.others')}</a>
          </li>
        </ul>
      </nav>
      <main className="dx-main">
        <h1>{t('app.docs')}</h1>
        <p lang="en" dir="ltr">
          <Text text={spec.description} />
        </p>
        <p className="dx-base">
          <span>{t('about.baseUrl')}</span> <code>{apiBase()}</code>
          <CopyButton text={apiBase} label={t('about.copyBaseUrl')} />
        </p>
        <KeyField required={gateway.phase === 'key'} />
        {spec.operations.map((operation) => (
          <OperationCard
            key={operation.id}
            operation={operation}
            root={root}
            model={model}
            language={language}
            onLanguage={setLanguage}
          />
        ))}
        <Forwarded />
      </main>
    </div>
  );
}

/** The operation that is read: the last one whose heading has passed the upper third. */
function useCurrent(operations: Operation[]): Operation | undefined {
  const [current, setCurrent] = useState<Operation | undefined>(undefined);
  useEffect(() => {
    let frame = 0;
    const find = () => {
      frame = 0;
      const passed = operations.filter((operation) => {
        const element = document.getElementById(anchor(operation));
        return element && element.getBoundingClientRect().top < innerHeight / 3;
      });
      setCurrent(passed.at(-1) ?? operations[0]);
    };
    const onScroll = () => {
      frame ||= requestAnimationFrame(find);
    };
    find();
    addEventListener('scroll', onScroll, { passive: true, capture: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', onScroll, { capture: true });
    };
  }, [operations]);
  return current;
}

function grouped(operations: Operation[]): [string, Operation[]][] {
  const groups = new Map<string, Operation[]>();
  for (const operation of operations)
    groups.set(operation.tag, [...(groups.get(operation.tag) ?? []), operation]);
  return [...groups];
}
