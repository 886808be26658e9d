import { useEffect, useId, useState } from 'react';
import { t } from '../../i18n';
import type { Params } from '../../store/types';

interface Props {
  params: Params;
  onChange: (params: Params) => void;
}

export function ParamsFields({ params, onChange }: Props) {
  const id = useId();
  const set = <K extends keyof Params>(key: K, value: Params[K] | undefined) => {
    const { [key]: _, ...rest } = params;
    onChange(value === undefined || value === '' ? rest : { ...rest, [key]: value });
  };
  return (
    <div className="params-fields">
      <label className="label" htmlFor={`${id}s`}>
        {t('params.system')}
      </label>
      <textarea
        id={`${id}s`}
        className="field"
        dir="auto"
        rows={4}
        value={params.system ?? ''}
        placeholder={t('params.systemHint')}
        onInput={(event) => set('system', event.currentTarget.value)}
      />
      <div className="params-grid">
        <Num
          label={t('params.temperature')}
          hint={t('params.range', { from: 0, to: 2 })}
          step={0.1}
          max={2}
          value={params.temperature}
          onChange={(n) => set('temperature', n)}
        />
        <Num
          label={t('params.topP')}
          hint={t('params.range', { from: 0, to: 1 })}
          step={0.05}
          max={1}
          value={params.topP}
          onChange={(n) => set('topP', n)}
        />
        <Num
          label={t('params.most')}
          hint={t('params.mostHint')}
          step={1}
          min={1}
          value={params.maxTokens}
          onChange={(n) => set('maxTokens', n && Math.round(n))}
        />
        <label className="label">
          {t('params.reasoning')}
          <select
            className="field"
            value={params.reasoningEffort ?? ''}
            onChange={(event) => set('reasoningEffort', event.currentTarget.value)}
          >
            <option value="">{t('params.default')}</option>
            {EFFORTS.map((effort) => (
              <option key={effort} value={effort}>
                {effort}
              </option>
            ))}
          </select>
        </label>
        <Num
          label={t('params.seed')}
          hint={t('params.seedHint')}
          step={1}
          value={params.seed}
          onChange={(n) => set('seed', n && Math.round(n))}
        />
        <Stop value={params.stop ?? []} onChange={(stop) => set('stop', stop)} />
      </div>
      <label className="check">
        <input
          type="checkbox"
          checked={params.json ?? false}
          onChange={(event) => set('json', event.currentTarget.checked || undefined)}
        />
        {t('params.json')}
      </label>
    </div>
  );
}

/** OpenAI's values of `reasoning_effort`; a model may know fewer. */
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];

interface StopProps {
  value: string[];
  onChange: (value: string[] | undefined) => void;
}

/** OpenAI takes as many. */
const MAX_STOPS = 4;

const read = (typed: string) => typed.split('\n').filter(Boolean).slice(0, MAX_STOPS);

/** One text in a line; what is typed stays as it is, also where it means nothing yet. */
function Stop({ value, onChange }: StopProps) {
  const [text, setText] = useState(value.join('\n'));
  // A preset was applied.
  useEffect(() => {
    setText((typed) => (read(typed).join('\n') === value.join('\n') ? typed : value.join('\n')));
  }, [value]);
  return (
    <label className="label">
      {t('params.stop')}
      <textarea
        className="field"
        dir="auto"
        rows={1}
        value={text}
        placeholder={t('params.stopHint')}
        onInput={(event) => {
          const typed = event.currentTarget.value;
          setText(typed);
          const stops = read(typed);
          onChange(stops.length > 0 ? stops : undefined);
        }}
      />
    </label>
  );
}

interface NumProps {
  label: string;
  hint: string;
  step: number;
  min?: number;
  max?: number;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}

function Num({ label, hint, step, min = 0, max, value, onChange }: NumProps) {
  return (
    <label className="label">
      {label}
      <input
        className="field"
        type="number"
        inputMode="decimal"
        min={min}
        max={max}
        step={step}
        placeholder={hint}
        value={value ?? ''}
        onInput={(event) => {
          const text = event.currentTarget.value;
          const number = Number(text);
          onChange(text === '' || !Number.isFinite(number) ? undefined : number);
        }}
      />
    </label>
  );
}
