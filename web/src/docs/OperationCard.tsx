import { useState } from 'react';
import { t } from '../i18n';
import { CodeBlock } from '../markdown/CodeBlock';
import { SNIPPET_LANGUAGES, type SnippetLanguage, snippet } from '../snippets';
import { exampleBody, fillPath } from './examples';
import type { Field, Operation } from './spec';
import { Text } from './Text';
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
  const keyNeed = operation.open ? t('docs.open') : t('docs.keyed');
  const fence = SNIPPET_LANGUAGES.find((option) => option.id === language)?.fence ?? '';
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
      <h2 id={`${anchor(operation)}-title`} className="ltr" lang="en">
        {operation.summary}
      </h2>
      <p className="dx-call ltr">
        <span className="dx-method">{operation.method}</span> <code>{operation.path}</code>
      </p>
      {operation.description && (
        <p lang="en" dir="ltr">
          <Text text={operation.description} />
        </p>
      )}
      <p className="dx-facts">
        {operation.streams
          ? t('list.sentences', { first: keyNeed, second: t('docs.streams') })
          : keyNeed}
      </p>
      <Fields title={t('docs.params')} fields={operation.params} />
      <Fields
        title={t('docs.body')}
        fields={operation.fields ?? []}
        moreAllowed={operation.fields !== null}
      />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
      <div className="dx-tabs" role="group" aria-label={t('docs.language')}>
        {SNIPPET_LANGUAGES.map((option) => (
          <button
            key={option.id}
            type="button"
            aria-pressed={option.id === language}
            onClick={() => onLanguage(option.id)}
          >
            {option.name}
          </button>
        ))}
        <button
          type="button"
          className="dx-trybutton"
          aria-expanded={trying}
          onClick={() => setTrying(!trying)}
        >
          {t('docs.try')}
        </button>
      </div>
      <CodeBlock code={code} info={fence} />
      {trying && <TryIt operation={operation} model={model} />}
      <details className="dx-responses">
        <summary>{t('docs.responses')}</summary>
        <dl>
          {operation.responses.map((response) => (
            <div key={response.status}>
              <dt>{response.status}</dt>
              <dd className="ltr" lang="en">
                <Text text={response.description} />
              </dd>
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
  moreAllowed = false,
}: {
  title: string;
  fields: Field[];
  moreAllowed?: boolean;
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
                {field.required ? t('docs.requiredField', { type: field.type }) : field.type}
              </span>
            </dt>
            <dd className="ltr" lang="en">
              <Text text={field.description} />
            </dd>
          </div>
        ))}
      </dl>
      {moreAllowed && <p className="dx-muted">{t('docs.moreFields')}</p>}
    </div>
  );
}
