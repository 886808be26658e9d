import { gatewayStore } from '../../api/gateway';
import { forgetKey, keyIsRemembered, keyStore } from '../../api/key';
import { Limits } from '../../limits';
import { useStore } from '../../store/create-store';
import { newId } from '../../store/id';
import { changeSettings, settingsStore } from '../../store/settings';
import type { Preset } from '../../store/types';
import { ParamsFields } from '../composer/ParamsFields';
import { shortList } from '../format';
import { Icon } from '../ui/Icon';

/** Defaults of new conversations, and presets. */
export function ModelsTab() {
  const { params, presets, model, titleModel } = useStore(settingsStore);
  const { models } = useStore(gatewayStore);
  const ready = models.filter((model) => model.ready);
  const setPreset = (id: string, patch: Partial<Preset>) =>
    changeSettings({
      presets: presets.map((preset) => (preset.id === id ? { ...preset, ...patch } : preset)),
    });
  return (
    <>
      <label className="setting">
        <span className="grow">Model of new conversations</span>
        <select
          className="field"
          value={ready.some((entry) => entry.id === model) ? model : ''}
          onChange={(event) => changeSettings({ model: event.currentTarget.value })}
        >
          <option value="">First ready model</option>
          {ready.map((entry) => (
            <option key={entry.id} value={entry.id}>
              {entry.id}
            </option>
          ))}
        </select>
      </label>
      <label className="setting">
        <span className="grow">
          Titles of conversations
          <span className="hint">A model makes one after the first answer, by a request more.</span>
        </span>
        <select
          className="field"
          value={ready.some((entry) => entry.id === titleModel) ? titleModel : ''}
          onChange={(event) => changeSettings({ titleModel: event.currentTarget.value })}
        >
          <option value="">First words</option>
          {ready.map((entry) => (
            <option key={entry.id} value={entry.id}>
              by {entry.id}
            </option>
          ))}
        </select>
      </label>
      <h3>New conversations</h3>
      <ParamsFields params={params} onChange={(next) => changeSettings({ params: next })} />
      <h3>Presets</h3>
      {presets.length === 0 && (
        <p className="hint">A preset is a system prompt with its parameters, under a name.</p>
      )}
      {presets.map((preset) => (
        <details key={preset.id} className="preset">
          <summary>
            <span className="grow">{preset.name}</span>
            <Icon name="down" size={15} />
          </summary>
          <label className="label">
            Name
            <input
              className="field"
              value={preset.name}
              onInput={(event) => setPreset(preset.id, { name: event.currentTarget.value })}
            />
          </label>
          <label className="label">
            Model
            <select
              className="field"
              value={preset.model}
              onChange={(event) => setPreset(preset.id, { model: event.currentTarget.value })}
            >
              <option value="">Selected model</option>
              {models.map((model) => (
                <option key={model.id} value={model.id}>
                  {model.id}
                </option>
              ))}
            </select>
          </label>
          <ParamsFields
            params={preset.params}
            onChange={(next) => setPreset(preset.id, { params: next })}
          />
          <button
            type="button"
            className="button danger"
            onClick={() =>
              changeSettings({ presets: presets.filter((other) => other.id !== preset.id) })
            }
          >
            Delete preset
          </button>
        </details>
      ))}
      <button
        type="button"
        className="button"
        onClick={() =>
          changeSettings({
            presets: [
              ...presets,
              { id: newId(), name: `Preset ${presets.length + 1}`, model: '', params: {} },
            ],
          })
        }
      >
        <Icon name="plus" size={15} />
        New preset
      </button>
      <KeySetting />
    </>
  );
}

/** The client key in use, masked, and its models. */
function KeySetting() {
  const key = useStore(keyStore);
  const { models } = useStore(gatewayStore);
  if (!key) return null;
  return (
    <>
      <h3>Your key</h3>
      <p className="setting">
        <span className="grow">
          Ends in <code>{key.slice(-4)}</code>, kept{' '}
          {keyIsRemembered() ? 'on this device' : 'until this tab is closed'}
        </span>
        <button type="button" className="button danger" onClick={forgetKey}>
          Forget
        </button>
      </p>
      <p className="hint">
        Models: {shortList(models.map((model) => model.id)) || 'none at the moment'}.
      </p>
      <Limits />
    </>
  );
}
