import { useState } from 'react';
import { forgetKey, keyIsRemembered, keyStore, setKey } from '../api/key';
import { useStore } from '../store/create-store';

/** The client key that "Try it" sends, shared with the chat page. */
export function KeyField({ required }: { required: boolean }) {
  const key = useStore(keyStore);
  const [draft, setDraft] = useState('');
  const [remember, setRemember] = useState(false);
  if (key) {
    return (
      <div className="dx-key">
        <span>
          Key set, {keyIsRemembered() ? 'remembered on this device' : 'until this tab is closed'}.
        </span>
        <button type="button" className="button" onClick={forgetKey}>
          Forget key
        </button>
      </div>
    );
  }
  return (
    <form
      className="dx-key"
      onSubmit={(event) => {
        event.preventDefault();
        if (draft.trim() === '') return;
        setKey(draft.trim(), remember);
        setDraft('');
      }}
    >
      <label>
        <span>{required ? 'This gateway requires a key' : 'Key (not required)'}</span>
        <input
          type="password"
          autoComplete="off"
          value={draft}
          onInput={(event) => setDraft((event.target as HTMLInputElement).value)}
        />
      </label>
      <label className="dx-check">
        <input
          type="checkbox"
          checked={remember}
          onChange={(event) => setRemember((event.target as HTMLInputElement).checked)}
        />
        Remember on this device
      </label>
      <button type="submit" className="button">
        Use key
      </button>
    </form>
  );
}
