import { t } from '../../i18n';
import { announce, notify } from '../../store/notices';

/** Copies to the clipboard, also on plain HTTP. */
export async function copyText(text: string, what = t('ui.copied')): Promise<boolean> {
  const done = await viaClipboard(text).catch(() => viaSelection(text));
  if (done) announce(t('ui.done', { what }));
  else notify(t('ui.noCopy'));
  return done;
}

async function viaClipboard(text: string): Promise<boolean> {
  await navigator.clipboard.writeText(text);
  return true;
}

// `navigator.clipboard` is missing in an insecure context.
function viaSelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  // An open modal dialog allows selection inside it only.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

/** Downloads a text as a file. */
export function saveFile(name: string, mime: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: mime }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
