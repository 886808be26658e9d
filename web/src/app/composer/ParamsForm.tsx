import { useState } from 'react';
import { t } from '../../i18n';
import { newId } from '../../store/id';
import { changeSettings } from '../../store/settings';
import type { Params, Preset } from '../../store/types';
import { ParamsFields } from './ParamsFields';

interface Props extends PresetsProps {
  onChange: (params: Params) => void;
}

export function ParamsForm({ presets, params, onApply, onChange }: Props) {
  return (
    <>
      <Presets presets={presets} params={params} onApply={onApply} />
      <ParamsFields params={params} onChange={onChange} />
    </>
  );
}

interface PresetsProps {
  presets: Preset[];
  params: Params;
  onApply: (preset: Preset) => void;
}

function Presets({ presets, params, onApply }: PresetsProps) {
  const [name, setName] = useState<string | null>(null);
  const save = () => {
    if (name?.trim()) {
      const preset: Preset = { id: newId(), name: name.trim(), model: '', params };
      changeSettings({ presets: [...presets, preset] });
    }
    setName(null);
  };
  if (name !== null) {
    return (
      <div className="preset-row">
        <input
          className="field"
          dir="auto"
          placeholder={t('presets.name')}
          aria-label={t('presets.name')}
          value={name}
          // biome-ignore lint/a11y/noAutofocus: it appears because it was asked for
          autoFocus
          onInput={(event) => setName(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && save()}
        />
        <button type="button" className="button" onClick={save}>
          {t('ui.save')}
        </button>
      </div>
    );
  }
  return (
    <div className="preset-row">
      <select
        className="field"
        aria-label={t('presets.label')}
        value=""
        disabled={presets.length === 0}
        onChange={(event) => {
          const chosen = presets.find((preset) => preset.id === event.currentTarget.value);
          if (chosen) onApply(chosen);
        }}
      >
        <option value="">{presets.length === 0 ? t('presets.none') : t('presets.use')}</option>
        {presets.map((preset) => (
          <option key={preset.id} value={preset.id}>
            {preset.name}
          </option>
        ))}
      </select>
      <button type="button" className="button" onClick={() => setName('')}>
        {t('presets.save')}
      </button>
    </div>
  );
}
