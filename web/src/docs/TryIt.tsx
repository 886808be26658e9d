import { useEffect, useId, useRef, useState } from 'react';
import { milliseconds } from '../app/format';
import { t } from '../i18n';
import { CodeBlock } from '../markdown/CodeBlock';
import { exampleBody, fillPath } from './examples';
import { EMPTY_OUTCOME, type Outcome, send } from './send';
import type { Operation } from './spec';

interface Props {
  operation: Operation;
  model: string;
}

/** The request as a form: the field holds exactly the body that is sent. */
export function TryIt({ operation, model }: Props) {
  const id = useId();
  const [values, setValues] = useState<Record<string, string>>({});
  const [edited, setEdited] = useState<string | null>(null);
  const [outcome, setOutcome] = useState<Outcome>(EMPTY_OUTCOME);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const example = exampleBody(operation, model);
  const body = edited ?? (example ? JSON.stringify(example, null, 2) : '');
  const invalid = example ? problemIn(body) : '';
  const pathValues: Record<string, string> = { model, ...values };

  const sendOrStop = () => {
    if (outcome.running) {
      running.current?.abort();
      return;
    }
    if (outcome.file) URL.revokeObjectURL(outcome.file.url);
    const controller = new AbortController();
    running.current = controller;
    const path = fillPath(operation.path, pathValues);
    const request = { method: operation.method, path, signal: controller.signal };
    void send(example ? { ...request, body } : request, setOutcome);
  };

  return (
    <div className="dx-try">
      {operation.params.map((param) => (
        <label key={param.name} className="dx-param">
          <code>{param.name}</code>
          <input
            dir="ltr"
            value={pathValues[param.name] ?? ''}
            spellCheck={false}
            onInput={(event) =>
              setValues({ ...values, [param.name]: (event.target as HTMLInputElement).value })
            }
          />
        </label>
      ))}
      {example && (
        <>
          <label htmlFor={`${id}body`}>{t('docs.bodyField')}</label>
          <textarea
            id={`${id}body`}
            className="dx-body"
            dir="ltr"
            value={body}
            rows={Math.min(16, body.split('\n').length + 1)}
            spellCheck={false}
            aria-invalid={invalid !== ''}
            aria-describedby={`${id}invalid`}
            onInput={(event) => setEdited((event.target as HTMLTextAreaElement).value)}
          />
        </>
      )}
      <div className="dx-row">
        <button type="button" className="button primary" onClick={sendOrStop}>
          {outcome.running ? t('ui.stop') : t('ui.send')}
        </button>
        {edited !== null && (
          <button type="button" className="button" onClick={() => setEdited(null)}>
            {t('docs.reset')}
          </button>
        )}
        <span id={`${id}invalid`} className="dx-invalid">
          {invalid}
        </span>
      </div>
      <Result outcome={outcome} />
    </div>
  );
}

function problemIn(body: string): string {
  try {
    JSON.parse(body);
    return '';
  } catch {
    return t('docs.invalidJson');
  }
}

function Result({ outcome }: { outcome: Outcome }) {
  const { status, running, problem } = outcome;
  const line = [
    status === null ? '' : `${status} ${outcome.statusText}`.trim(),
    running ? t('docs.running') : '',
    status === null && !problem ? '' : milliseconds(outcome.ms),
  ].filter(Boolean);
  return (
    <>
      <p role="status" className={status !== null && status >= 400 ? 'dx-line bad' : 'dx-line'}>
        {running && status === null ? t('docs.waiting') : line.join(' · ')} {problem}
      </p>
      {outcome.headers.length > 0 && (
        <dl className="dx-headers" dir="ltr">
          {outcome.headers.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {outcome.text && <p className="dx-text">{outcome.text}</p>}
      {outcome.file && (
        <a className="button" href={outcome.file.url} download={outcome.file.name}>
          {t('docs.saveFile', { name: outcome.file.name })}
        </a>
      )}
      {outcome.body && (
        <div className="dx-result">
          <CodeBlock
            code={outcome.body}
            info={outcome.body.startsWith('{') ? 'json' : ''}
            open={running}
          />
        </div>
      )}
    </>
  );
}
