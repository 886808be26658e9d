import { useState } from 'react';
import { forgetKey, keyIsRemembered, keyStore, setKey } from '../api/key';
import { t } from '../i18n';
import { useStore } from '../store/create-store';

/** The client key that "Try it" sends, shared with the chat page. */
export function KeyField({ required }: { required: boolean }) {
  const key = useStore(keyStore);
  const [draft, setDraft] = useState('');
  const [remember, setRemember] = useState(false);
  if (key) {
    return (
      <div className="dx-key">
        <span>{keyIsRemembered() ? t('docs.keyOnDevice') : t('docs.keyInTab')}</span>
        <button type="button" className="button" onClick={forgetKey}>
          {t('docs.forgetKey')}
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
        <span>{required ? t('key.title') : t('docs.keyOptional')}</span>
        <input
          dir="ltr"
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
        {t('docs.remember')}
      </label>
      <button type="submit" className="button">
        {t('key.use')}
      </button>
    </form>
  );
}
