import { gatewayStore } from '../../api/gateway';
import { forgetKey, keyIsRemembered, keyStore } from '../../api/key';
import { rich, t } from '../../i18n';
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
        <span className="grow">{t('settings.newModel')}</span>
        <select
          className="field"
          value={ready.some((entry) => entry.id === model) ? model : ''}
          onChange={(event) => changeSettings({ model: event.currentTarget.value })}
        >
          <option value="">{t('settings.firstReady')}</option>
          {ready.map((entry) => (
            <option key={entry.id} value={entry.id}>
              {entry.id}
            </option>
          ))}
        </select>
      </label>
      <label className="setting">
        <span className="grow">
          {t('settings.titles')}
          <span className="hint">{t('settings.titlesHint')}</span>
        </span>
        <select
          className="field"
          value={ready.some((entry) => entry.id === titleModel) ? titleModel : ''}
          onChange={(event) => changeSettings({ titleModel: event.currentTarget.value })}
        >
          <option value="">{t('settings.firstWords')}</option>
          {ready.map((entry) => (
            <option key={entry.id} value={entry.id}>
              {t('settings.byModel', { model: entry.id })}
            </option>
          ))}
        </select>
      </label>
      <h3>{t('settings.newChats')}</h3>
      <ParamsFields params={params} onChange={(next) => changeSettings({ params: next })} />
      <h3>{t('settings.presets')}</h3>
      {presets.length === 0 && <p className="hint">{t('settings.presetHint')}</p>}
      {presets.map((preset) => (
        <details key={preset.id} className="preset">
          <summary>
            <span className="grow">{preset.name}</span>
            <Icon name="down" size={15} />
          </summary>
          <label className="label">
            {t('settings.name')}
            <input
              className="field"
              value={preset.name}
              onInput={(event) => setPreset(preset.id, { name: event.currentTarget.value })}
            />
          </label>
          <label className="label">
            {t('ui.model')}
            <select
              className="field"
              value={preset.model}
              onChange={(event) => setPreset(preset.id, { model: event.currentTarget.value })}
            >
              <option value="">{t('settings.selectedModel')}</option>
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
            {t('settings.deletePreset')}
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
              {
                id: newId(),
                name: t('settings.presetName', { n: presets.length + 1 }),
                model: '',
                params: {},
              },
            ],
          })
        }
      >
        <Icon name="plus" size={15} />
        {t('settings.newPreset')}
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
  const end = <code>{key.slice(-4)}</code>;
  return (
    <>
      <h3>{t('settings.yourKey')}</h3>
      <p className="setting">
        <span className="grow">
          {keyIsRemembered()
            ? rich('settings.keyOnDevice', { end })
            : rich('settings.keyInTab', { end })}
        </span>
        <button type="button" className="button danger" onClick={forgetKey}>
          {t('settings.forget')}
        </button>
      </p>
      <p className="hint">
        {t('settings.keyModels', {
          models: shortList(models.map((model) => model.id)) || t('settings.noModels'),
        })}
      </p>
      <Limits />
    </>
  );
}
