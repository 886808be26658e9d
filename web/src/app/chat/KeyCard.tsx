import { useEffect, useId, useRef, useState } from 'react';
import { gatewayStore } from '../../api/gateway';
import { keyStore, setKey } from '../../api/key';
import { useStore } from '../../store/create';
import { Icon } from '../ui/Icon';
import { onCommand } from '../view';

/** Asks for the caller's key where the gateway wants one. */
export function KeyCard() {
  const { phase } = useStore(gatewayStore);
  const had = useStore(keyStore);
  const [value, setValue] = useState('');
  const [remember, setRemember] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => onCommand((name) => name === 'key' && input.current?.focus()), []);
  const refused = phase === 'key' && had !== '';
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
        This gateway wants a key
      </h2>
      <p className="hint" id={`${id}h`}>
        It is given out by whoever runs the gateway (<code>trunkline keygen</code> makes one) and is
        sent to this gateway only.
      </p>
      <div className="key-row">
        <input
          ref={input}
          className="field"
          type="password"
          autoComplete="off"
          aria-label="Client key"
          aria-describedby={refused ? `${id}e` : `${id}h`}
          aria-invalid={refused}
          placeholder="Client key"
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
        <button type="submit" className="button primary" disabled={!value.trim()}>
          Use key
        </button>
      </div>
      {refused && (
        <p className="error-line" id={`${id}e`} role="alert">
          The gateway refused this key. It may be mistyped, expired or withdrawn.
        </p>
      )}
      <label className="check">
        <input
          type="checkbox"
          checked={remember}
          onChange={(event) => setRemember(event.currentTarget.checked)}
        />
        Remember on this device (otherwise until this tab is closed)
      </label>
    </form>
  );
}
