import { useState } from 'react';
import { useStore } from '../../store/create-store';
import { newId } from '../../store/id';
import { changeSettings, settingsStore } from '../../store/settings';
import { changeChat } from '../../store/storage/chats';
import type { Params, Preset } from '../../store/types';
import { useChat } from '../../store/use-chat';
import { Icon } from '../ui/Icon';
import { Popover, usePopover } from '../ui/Popover';
import { ParamsFields } from './ParamsFields';

/** System prompt and sampling parameters, of this conversation or of new ones. */
export function ParamsButton({ chatId }: { chatId: string | null }) {
  const { anchor, open, close, toggle } = usePopover();
  const settings = useStore(settingsStore);
  const chat = useChat(chatId);
  const params = chat?.params ?? settings.params;
  const set = (next: Params) => {
    if (chatId) changeChat(chatId, (now) => ({ ...now, params: next }));
    else changeSettings({ params: next });
  };
  const apply = (preset: Preset) => {
    if (chatId) {
      changeChat(chatId, (now) => ({
        ...now,
        params: preset.params,
        model: preset.model || now.model,
      }));
    } else {
      changeSettings({ params: preset.params, ...(preset.model && { model: preset.model }) });
    }
  };
  const active = Object.values(params).some((value) => value !== undefined && value !== '');
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className="icon-button"
        data-on={active}
        aria-label={active ? 'Instructions and parameters (set)' : 'Instructions and parameters'}
        title="Instructions and parameters"
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={toggle}
      >
        <Icon name="sliders" />
      </button>
      {open && (
        <Popover
          anchor={anchor}
          onClose={close}
          label="Instructions and parameters"
          className="params"
        >
          <Presets presets={settings.presets} params={params} onApply={apply} />
          <ParamsFields params={params} onChange={set} />
          <p className="hint">
            {chatId ? 'For this conversation.' : 'For new conversations.'} Empty fields use the
            provider's defaults.
          </p>
        </Popover>
      )}
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
          placeholder="Name of the preset"
          aria-label="Name of the preset"
          value={name}
          // biome-ignore lint/a11y/noAutofocus: it appears because it was asked for
          autoFocus
          onInput={(event) => setName(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && save()}
        />
        <button type="button" className="button" onClick={save}>
          Save
        </button>
      </div>
    );
  }
  return (
    <div className="preset-row">
      <select
        className="field"
        aria-label="Preset"
        value=""
        disabled={presets.length === 0}
        onChange={(event) => {
          const chosen = presets.find((preset) => preset.id === event.currentTarget.value);
          if (chosen) onApply(chosen);
        }}
      >
        <option value="">{presets.length === 0 ? 'No presets yet' : 'Use a preset…'}</option>
        {presets.map((preset) => (
          <option key={preset.id} value={preset.id}>
            {preset.name}
          </option>
        ))}
      </select>
      <button type="button" className="button" onClick={() => setName('')}>
        Save as preset
      </button>
    </div>
  );
}
