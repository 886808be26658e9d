import { useEffect, useState } from 'react';
import { t } from '../../i18n';
import { routeStore } from '../route';
import { attach } from './attach';
import { readDraft, setDraft } from './draft';

/** The whole page is a drop zone. */
export function DropZone() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      void add([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener('dragover', onOver);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    return () => {
      removeEventListener('dragover', onOver);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
    };
  }, []);
  return over ? <div className="drop">{t('composer.drop')}</div> : null;
}

async function add(files: File[]): Promise<void> {
  const chat = routeStore.get();
  const attachments = await attach(chat, files);
  const draft = readDraft(chat);
  setDraft(chat, { ...draft, attachments: [...draft.attachments, ...attachments] });
}
