import { useEffect, useRef } from 'react';
import { rich, t } from '../../i18n';
import {
  browserLanguage,
  documentTag,
  isKnown,
  LANGUAGES,
  languageStore,
  prepareLanguage,
} from '../../i18n/language';
import { useStore } from '../../store/create-store';
import { notify } from '../../store/notices';
import { changeSettings, settingsStore } from '../../store/settings';
import { unreachable } from '../ui/lazy-part';
import { isTouch, keyName } from '../view';

export function General() {
  const settings = useStore(settingsStore);
  const languages = useRef<HTMLSelectElement>(null);
  useEffect(() => {
    if (choosing) languages.current?.focus();
    choosing = false;
  }, []);
  return (
    <>
      <label className="setting">
        <span className="grow">{t('settings.language')}</span>
        <select
          ref={languages}
          className="field language"
          value={known(settings.language)}
          onChange={(event) => void chooseLanguage(event.currentTarget)}
        >
          <option value="">
            {t('settings.languageAuto', { language: LANGUAGES[browserLanguage()] })}
          </option>
          {Object.entries(LANGUAGES).map(([code, name]) => (
            <option key={code} value={code} lang={documentTag(code)} dir="auto">
              {name}
            </option>
          ))}
        </select>
      </label>
      <Choice
        label={t('settings.theme')}
        value={settings.theme}
        options={[
          ['system', t('settings.system')],
          ['light', t('settings.light')],
          ['dark', t('settings.dark')],
        ]}
        onChange={(theme) => changeSettings({ theme })}
      />
      <Choice
        label={t('settings.density')}
        value={settings.density}
        options={[
          ['normal', t('settings.normal')],
          ['compact', t('settings.compact')],
        ]}
        onChange={(density) => changeSettings({ density })}
      />
      {!isTouch() && (
        <Choice
          label={t('settings.sendWith')}
          value={settings.sendKey}
          options={[
            ['enter', keyName('enter')],
            ['mod-enter', keyName('mod+enter')],
          ]}
          onChange={(sendKey) => changeSettings({ sendKey })}
        />
      )}
      <label className="setting">
        <span className="grow">{t('settings.textSize')}</span>
        <input
          type="range"
          min={13}
          max={20}
          step={1}
          value={settings.fontSize}
          aria-valuetext={t('settings.pixels', { n: settings.fontSize })}
          onInput={(event) => changeSettings({ fontSize: Number(event.currentTarget.value) })}
        />
        <output>{t('settings.px', { n: settings.fontSize })}</output>
      </label>
      {!isTouch() && (
        <label className="setting">
          <span className="grow">
            {t('settings.singleKeys')}
            <span className="hint">
              {rich('settings.singleKeysHint', { one: <kbd>?</kbd>, other: <kbd>/</kbd> })}
            </span>
          </span>
          <input
            type="checkbox"
            className="switch"
            checked={settings.singleKeys}
            onChange={(event) => changeSettings({ singleKeys: event.currentTarget.checked })}
          />
        </label>
      )}
    </>
  );
}

const known = (language: string) => (isKnown(language) ? language : '');

/** The page is drawn anew in another language, which takes the focus from the field. */
let choosing = false;
/** The newest choice; what the field has may be drawn over while its texts are loaded. */
let newest: string | undefined;

/** Kept once its texts are loaded: what the field shows is what the page is in. */
async function chooseLanguage(field: HTMLSelectElement): Promise<void> {
  const setting = field.value;
  newest = setting;
  const language = await prepareLanguage(setting).catch(() => null);
  if (newest !== setting) return;
  if (language === null) {
    field.value = known(settingsStore.get().language);
    notify(unreachable());
    return;
  }
  choosing = field.isConnected && language !== languageStore.get();
  changeSettings({ language: setting });
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: [T, string][];
  onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    // Not a fieldset, which is no flex box in every browser.
    <div className="setting" role="radiogroup" aria-label={label}>
      <span className="grow" aria-hidden="true">
        {label}
      </span>
      <span className="segments">
        {options.map(([option, name]) => (
          <label key={option}>
            <input
              type="radio"
              name={label}
              checked={option === value}
              onChange={() => onChange(option)}
            />
            <span>{name}</span>
          </label>
        ))}
      </span>
    </div>
  );
}
