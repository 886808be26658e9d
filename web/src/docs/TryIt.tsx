import { useEffect, useId, useRef, useState } from 'react';
import { milliseconds } from '../app/format';
import { CodeBlock } from '../markdown/CodeBlock';
import { exampleBody, fillPath } from './examples';
import { nothing, type Outcome, send } from './send';
import type { Operation } from './spec';

interface Props {
  operation: Operation;
  model: string;
}

/** The call as a form: what is sent is what stands in the field. */
export function TryIt({ operation, model }: Props) {
  const id = useId();
  const [values, setValues] = useState<Record<string, string>>({});
  const [edited, setEdited] = useState<string | null>(null);
  const [outcome, setOutcome] = useState<Outcome>(nothing);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const example = exampleBody(operation, model);
  const body = edited ?? (example ? JSON.stringify(example, null, 2) : '');
  const wrong = example ? problemIn(body) : '';
  const filled: Record<string, string> = { model, ...values };

  const press = () => {
    if (outcome.running) {
      running.current?.abort();
      return;
    }
    if (outcome.file) URL.revokeObjectURL(outcome.file.url);
    const controller = new AbortController();
    running.current = controller;
    const path = fillPath(operation.path, filled);
    const request = { method: operation.method, path, signal: controller.signal };
    void send(example ? { ...request, body } : request, setOutcome);
  };

  return (
    <div className="dx-try">
      {operation.params.map((param) => (
        <label key={param.name} className="dx-param">
          <code>{param.name}</code>
          <input
            value={filled[param.name] ?? ''}
            spellCheck={false}
            onInput={(event) =>
              setValues({ ...values, [param.name]: (event.target as HTMLInputElement).value })
            }
          />
        </label>
      ))}
      {example && (
        <>
          <label htmlFor={`${id}body`}>Body</label>
          <textarea
            id={`${id}body`}
            className="dx-body"
            value={body}
            rows={Math.min(16, body.split('\n').length + 1)}
            spellCheck={false}
            aria-invalid={wrong !== ''}
            aria-describedby={`${id}wrong`}
            onInput={(event) => setEdited((event.target as HTMLTextAreaElement).value)}
          />
        </>
      )}
      <div className="dx-row">
        <button type="button" className="button primary" onClick={press}>
          {outcome.running ? 'Stop' : 'Send'}
        </button>
        {edited !== null && (
          <button type="button" className="button" onClick={() => setEdited(null)}>
            Reset
          </button>
        )}
        <span id={`${id}wrong`} className="dx-wrong">
          {wrong}
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
    return 'This is no JSON. It can be sent all the same, to see the error.';
  }
}

function Result({ outcome }: { outcome: Outcome }) {
  const { status, running, problem } = outcome;
  const line = [
    status === null ? '' : `${status} ${outcome.statusText}`.trim(),
    running ? 'running' : '',
    status === null && !problem ? '' : milliseconds(outcome.ms),
  ].filter(Boolean);
  return (
    <>
      <p role="status" className={status !== null && status >= 400 ? 'dx-line bad' : 'dx-line'}>
        {running && status === null ? 'Waiting for the gateway…' : line.join(' · ')} {problem}
      </p>
      {outcome.headers.length > 0 && (
        <dl className="dx-headers">
          {outcome.headers.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {outcome.answer && <p className="dx-answer">{outcome.answer}</p>}
      {outcome.file && (
        <a className="button" href={outcome.file.url} download={outcome.file.name}>
          Save {outcome.file.name}
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
