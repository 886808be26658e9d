const ALLOWED = new Set(['http:', 'https:', 'mailto:']);

/**
 * The URL that a link may open, or undefined. Absolute URLs only: a relative one would point into
 * the gateway.
 */
export function safeHref(href: string): string | undefined {
  // The URL parser drops control characters silently; reject them.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (!/^[a-z]+:/i.test(href) || /[\u0000-\u001f\u007f]/.test(href)) return undefined;
  try {
    const url = new URL(href);
    // User names and passwords in a URL serve only to disguise the host.
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

/** Images embedded as data: URLs. SVG is excluded, since it is a document. */
export function inlineImage(href: string): string | undefined {
  const ok = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/.test(href);
  return ok && href.length <= 4_000_000 ? href : undefined;
}
