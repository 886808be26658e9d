const ALLOWED = new Set(['http:', 'https:', 'mailto:']);

/**
 * The address a link may lead to, or undefined. Only absolute addresses: a
 * relative one would be the gateway's own, which no answer has reason to name.
 */
export function safeHref(href: string): string | undefined {
  // The URL parser drops control characters; what it drops should not be hidden.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (!/^[a-z]+:/i.test(href) || /[\u0000-\u001f\u007f]/.test(href)) return undefined;
  try {
    const url = new URL(href);
    // Names and passwords in an address serve only to disguise the host.
    if (!ALLOWED.has(url.protocol) || url.username !== '' || url.password !== '') return undefined;
    return url.href;
  } catch {
    return undefined;
  }
}

export function hostOf(href: string): string {
  try {
    return new URL(href).host;
  } catch {
    return '';
  }
}

/** Pictures that are in the answer itself; SVG is left out, being a document. */
export function inlineImage(href: string): string | undefined {
  const ok = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/.test(href);
  return ok && href.length <= 4_000_000 ? href : undefined;
}
