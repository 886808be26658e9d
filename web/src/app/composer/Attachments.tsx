import { useEffect, useState } from 'react';
import { idbGet } from '../../store/storage/indexed-db';
import type { Attachment } from '../../store/types';
import { bytes } from '../format';
import { Icon } from '../ui/Icon';

interface Props {
  files: Attachment[];
  onRemove?: (id: string) => void;
}

export function Attachments({ files, onRemove }: Props) {
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label="Attached">
      {files.map((file) => (
        <li key={file.id} className={`file ${file.kind}`}>
          {file.kind === 'image' ? <Picture file={file} /> : <Text file={file} />}
          {onRemove && (
            <button
              type="button"
              className="file-remove"
              aria-label={`Remove ${file.name}`}
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
        <span className="file-name">{file.name}</span>
        <span className="hint">{bytes(file.bytes)}</span>
      </summary>
      <pre>{file.text?.slice(0, 4000)}</pre>
    </details>
  );
}

function Picture({ file }: { file: Attachment }) {
  const [url, setUrl] = useState<string | null | undefined>(undefined);
  useEffect(() => {
    let made: string | undefined;
    let gone = false;
    void idbGet<Blob>('images', file.id)
      .catch(() => undefined)
      .then((blob) => {
        if (gone) return;
        made = blob && URL.createObjectURL(blob);
        setUrl(made ?? null);
      });
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [file.id]);
  if (url === null) return <span className="file-name">{file.name} (no longer here)</span>;
  return url ? <img src={url} alt={file.name} /> : <span className="file-wait" />;
}
