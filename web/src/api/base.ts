/** Base URL of the gateway: the folder that the page was loaded from. */
const root = typeof document === 'undefined' ? 'http://localhost/' : document.baseURI;

export function gatewayUrl(path: string): string {
  return new URL(path, new URL('.', root)).href;
}

/** Base URL for an SDK. */
export function apiBase(): string {
  return gatewayUrl('v1');
}
