import { useEffect, useState } from 'react';
import { t } from '../../i18n';
import { loadModule } from '../../load-module';
import { getImage } from '../../store/storage/images';
import type { Attachment } from '../../store/types';
import { bytes } from '../format';
import { Icon } from '../ui/Icon';
import { lazyPart } from '../ui/lazy-part';

const Viewer = lazyPart(() => loadModule(() => import('./Viewer')).then((m) => m.Viewer));

interface Props {
  files: Attachment[];
  onRemove?: (id: string) => void;
}

export function Attachments({ files, onRemove }: Props) {
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label={t('files.label')}>
      {files.map((file) => (
        <li key={file.id} className={`file ${file.kind}`}>
          {file.kind === 'image' ? <Picture file={file} /> : <Text file={file} />}
          {onRemove && (
            <button
              type="button"
              className="file-remove"
              aria-label={t('files.remove', { name: file.name })}
              onClick={() => onRemove(file.id)}
            >
              <Icon name="close" size={12} />
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function Text({ file }: { file: Attachment }) {
  return (
    <details className="file-text">
      <summary>
        <Icon name="file" size={15} />
        <span className="file-name" dir="auto">
          {file.name}
        </span>
        <span className="hint">{bytes(file.bytes)}</span>
      </summary>
      <pre dir="auto">{file.text?.slice(0, 4000)}</pre>
    </details>
  );
}

function Picture({ file }: { file: Attachment }) {
  const [open, setOpen] = useState(false);
  const [url, setUrl] = useState<string | null | undefined>(undefined);
  useEffect(() => {
    let made: string | undefined;
    let gone = false;
    void getImage(file.id).then((blob) => {
      if (gone) return;
      made = blob && URL.createObjectURL(blob);
      setUrl(made ?? null);
    });
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [file.id]);
  if (url === null)
    return <span className="file-name">{t('files.gone', { name: file.name })}</span>;
  if (!url) return <span className="file-wait" />;
  return (
    <>
      <button
        type="button"
        className="file-open"
        aria-label={t('files.show', { name: file.name })}
        onClick={() => setOpen(true)}
      >
        <img src={url} alt={file.name} />
      </button>
      {open && <Viewer url={url} name={file.name} onClose={() => setOpen(false)} />}
    </>
  );
}
