import { useState } from 'react';
import { t } from '../i18n';
import { hostOf, safeHref } from './url';

/**
 * Stands for a remote image. Loading it would tell its host who reads what, and the URL may
 * contain the conversation: so it is never loaded, and its full URL is shown before it can be
 * opened.
 */
export function ImageChip({ href, alt }: { href: string; alt: string }) {
  const [shown, setShown] = useState(false);
  const target = safeHref(href);
  const name = alt ? t('markdown.imageOf', { alt }) : t('markdown.image');
  const host = target ? hostOf(target) : '';
  if (!target || host === '') {
    return <span className="md-chip">{t('markdown.noAddress', { image: name })}</span>;
  }
  return (
    <span className="md-chip">
      <button type="button" aria-expanded={shown} onClick={() => setShown(!shown)}>
        {name} <span className="md-host">{host}</span>
      </button>
      {shown && (
        <a href={target} target="_blank" rel="noopener noreferrer">
          {target}
        </a>
      )}
    </span>
  );
}
