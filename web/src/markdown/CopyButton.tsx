import { useEffect, useRef, useState } from 'react';
import { copyText } from '../app/ui/copy';
import { t } from '../i18n';

interface Props {
  /** Called on press: the text may be long or still growing. */
  text: () => string;
  label?: string;
  className?: string;
}

export function CopyButton({ text, label = t('ui.copy'), className = 'md-tool' }: Props) {
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const press = async () => {
    const done = await copyText(text());
    setState(done ? 'done' : 'failed');
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setState('idle'), 1600);
  };
  const words = { idle: label, done: t('ui.copied'), failed: t('code.notCopied') };
  return (
    <button type="button" className={className} onClick={press}>
      {words[state]}
    </button>
  );
}
