/** Where the gateway is: the folder that the page itself was loaded from. */
const root = typeof document === 'undefined' ? 'http://localhost/' : document.baseURI;

/** The address of a path of the gateway, below whatever sub-path it is served. */
export function gatewayUrl(path: string): string {
  return new URL(path, new URL('.', root)).href;
}

/** What an SDK is given as its base URL. */
export function apiBase(): string {
  return gatewayUrl('v1');
}
