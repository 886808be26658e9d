import { useEffect, useId, useRef, useState } from 'react';
import { gatewayStore } from '../../api/gateway';
import { keyStore, setKey } from '../../api/key';
import { rich, t } from '../../i18n';
import { useStore } from '../../store/create-store';
import { Icon } from '../ui/Icon';
import { onCommand } from '../view';

/** Asks for a client key if the gateway requires one. */
export function KeyCard() {
  const { phase } = useStore(gatewayStore);
  const key = useStore(keyStore);
  const [value, setValue] = useState('');
  const [remember, setRemember] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => onCommand((name) => name === 'key' && input.current?.focus()), []);
  const rejected = phase === 'key' && key !== '';
  return (
    <form
      className="card key-card"
      aria-labelledby={`${id}t`}
      onSubmit={(event) => {
        event.preventDefault();
        if (value.trim()) setKey(value.trim(), remember);
      }}
    >
      <h2 id={`${id}t`}>
        <Icon name="key" />
        {t('key.title')}
      </h2>
      <p className="hint" id={`${id}h`}>
        {rich('key.hint', { command: <code>trunkline keygen</code> })}
      </p>
      <div className="key-row">
        <input
          ref={input}
          className="field"
          dir="ltr"
          type="password"
          autoComplete="off"
          aria-label={t('key.label')}
          aria-describedby={rejected ? `${id}e` : `${id}h`}
          aria-invalid={rejected}
          placeholder={t('key.label')}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
        <button type="submit" className="button primary" disabled={!value.trim()}>
          {t('key.use')}
        </button>
      </div>
      {rejected && (
        <p className="error-line" id={`${id}e`} role="alert">
          {t('key.rejected')}
        </p>
      )}
      <label className="check">
        <input
          type="checkbox"
          checked={remember}
          onChange={(event) => setRemember(event.currentTarget.checked)}
        />
        {t('key.remember')}
      </label>
    </form>
  );
}
