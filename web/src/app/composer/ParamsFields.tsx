import { useId } from 'react';
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
        System prompt
      </label>
      <textarea
        id={`${id}s`}
        className="field"
        rows={4}
        value={params.system ?? ''}
        placeholder="How the model should behave"
        onInput={(event) => set('system', event.currentTarget.value)}
      />
      <div className="params-grid">
        <Num
          label="Temperature"
          hint="0 to 2"
          step={0.1}
          max={2}
          value={params.temperature}
          onChange={(n) => set('temperature', n)}
        />
        <Num
          label="Top p"
          hint="0 to 1"
          step={0.05}
          max={1}
          value={params.topP}
          onChange={(n) => set('topP', n)}
        />
        <Num
          label="Most tokens"
          hint="in the answer"
          step={1}
          min={1}
          value={params.maxTokens}
          onChange={(n) => set('maxTokens', n && Math.round(n))}
        />
      </div>
    </div>
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
