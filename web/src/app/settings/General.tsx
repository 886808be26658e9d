import { useStore } from '../../store/create-store';
import { changeSettings, settingsStore } from '../../store/settings';
import { isTouch, keyName } from '../view';

export function General() {
  const settings = useStore(settingsStore);
  return (
    <>
      <Choice
        label="Theme"
        value={settings.theme}
        options={[
          ['system', 'System'],
          ['light', 'Light'],
          ['dark', 'Dark'],
        ]}
        onChange={(theme) => changeSettings({ theme })}
      />
      <Choice
        label="Density"
        value={settings.density}
        options={[
          ['normal', 'Normal'],
          ['compact', 'Compact'],
        ]}
        onChange={(density) => changeSettings({ density })}
      />
      {!isTouch() && (
        <Choice
          label="Send with"
          value={settings.sendKey}
          options={[
            ['enter', keyName('enter')],
            ['mod-enter', keyName('mod+enter')],
          ]}
          onChange={(sendKey) => changeSettings({ sendKey })}
        />
      )}
      <label className="setting">
        <span className="grow">Text size</span>
        <input
          type="range"
          min={13}
          max={20}
          step={1}
          value={settings.fontSize}
          aria-valuetext={`${settings.fontSize} pixels`}
          onInput={(event) => changeSettings({ fontSize: Number(event.currentTarget.value) })}
        />
        <output>{settings.fontSize} px</output>
      </label>
      {!isTouch() && (
        <label className="setting">
          <span className="grow">
            Single-key shortcuts
            <span className="hint">
              <kbd>?</kbd> and <kbd>/</kbd> when not typing
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
