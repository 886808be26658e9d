import { notify, say } from '../../store/notices';

/** Puts a text on the clipboard, also where the page came over plain HTTP. */
export async function copyText(text: string, what = 'Copied'): Promise<boolean> {
  const done = await viaClipboard(text).catch(() => viaSelection(text));
  if (done) say(`${what}.`);
  else notify('The browser did not allow copying.');
  return done;
}

async function viaClipboard(text: string): Promise<boolean> {
  await navigator.clipboard.writeText(text);
  return true;
}

// `navigator.clipboard` is missing where the page is not in a secure context.
function viaSelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  // Within an open dialog only its own content can be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

/** Hands a text to the reader as a file. */
export function saveFile(name: string, mime: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: mime }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
