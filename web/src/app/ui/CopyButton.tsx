import { useEffect, useState } from 'react';
import { copyText } from './copy';
import { Icon, type IconName } from './Icon';

interface Props {
  text: () => string;
  label: string;
  icon?: IconName;
  /** Shown beside the icon. */
  caption?: string;
  className?: string;
}

/** Copies, and shows a check mark for a moment. */
export function CopyButton({ text, label, icon = 'copy', caption, className }: Props) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <button
      type="button"
      className={className ?? (caption ? 'button small' : 'icon-button')}
      aria-label={caption ? undefined : label}
      title={label}
      onClick={() => void copyText(text()).then(setDone)}
    >
      <Icon name={done ? 'check' : icon} size={caption ? 15 : 16} />
      {caption}
    </button>
  );
}
