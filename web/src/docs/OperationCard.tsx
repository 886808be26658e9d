import { useState } from 'react';
import { CodeBlock } from '../markdown/CodeBlock';
import { SNIPPET_LANGUAGES, type SnippetLanguage, snippet } from '../snippets';
import { exampleBody, fillPath } from './examples';
import type { Field, Operation } from './spec';
import { TryIt } from './TryIt';

interface Props {
  operation: Operation;
  root: string;
  model: string;
  language: SnippetLanguage;
  onLanguage: (language: SnippetLanguage) => void;
}

export function OperationCard({ operation, root, model, language, onLanguage }: Props) {
  const [trying, setTrying] = useState(false);
  const body = exampleBody(operation, model);
  const fence = SNIPPET_LANGUAGES.find((each) => each.id === language)?.fence ?? '';
  const code = snippet(language, {
    method: operation.method,
    root,
    path: fillPath(operation.path, { model }),
    open: operation.open,
    ...(body && { body }),
  });
  return (
    <section
      className="dx-op"
      id={anchor(operation)}
      aria-labelledby={`${anchor(operation)}-title`}
    >
      <h2 id={`${anchor(operation)}-title`}>{operation.summary}</h2>
      <p className="dx-call">
        <span className="dx-method">{operation.method}</span> <code>{operation.path}</code>
      </p>
      {operation.description && <p>{operation.description}</p>}
      <p className="dx-facts">
        {operation.open ? 'No key needed.' : 'Needs a client key where one is configured.'}
        {operation.streams && ' Can stream.'}
      </p>
      <Fields title="In the path" fields={operation.params} />
      <Fields
        title="In the body"
        fields={operation.fields ?? []}
        more={operation.fields !== null}
      />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
      <div className="dx-tabs" role="group" aria-label="Language of the example">
        {SNIPPET_LANGUAGES.map((each) => (
          <button
            key={each.id}
            type="button"
            aria-pressed={each.id === language}
            onClick={() => onLanguage(each.id)}
          >
            {each.name}
          </button>
        ))}
        <button
          type="button"
          className="dx-trybutton"
          aria-expanded={trying}
          onClick={() => setTrying(!trying)}
        >
          Try it
        </button>
      </div>
      <CodeBlock code={code} info={fence} />
      {trying && <TryIt operation={operation} model={model} />}
      <details className="dx-answers">
        <summary>Answers</summary>
        <dl>
          {operation.answers.map((answer) => (
            <div key={answer.status}>
              <dt>{answer.status}</dt>
              <dd>{answer.description}</dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}

export function anchor(operation: Operation): string {
  return operation.id.replace(/[^\w-]+/g, '-');
}

function Fields({
  title,
  fields,
  more = false,
}: {
  title: string;
  fields: Field[];
  more?: boolean;
}) {
  if (fields.length === 0) return null;
  return (
    <div className="dx-fields">
      <h3>{title}</h3>
      <dl>
        {fields.map((field) => (
          <div key={field.name}>
            <dt>
              <code>{field.name}</code>{' '}
              <span className="dx-muted">
                {field.type}
                {field.required && ', required'}
              </span>
            </dt>
            <dd>{field.description}</dd>
          </div>
        ))}
      </dl>
      {more && (
        <p className="dx-muted">
          Any other member goes to the provider as it is: its own reference says which there are.
        </p>
      )}
    </div>
  );
}
