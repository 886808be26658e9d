/**
 * Makes the page installable, from the first interaction on: the first load is a few requests.
 * There is no service worker: it could keep responses, and a page of another gateway.
 */
export function offerInstallation(): void {
  const offer = () => {
    if (document.querySelector('link[rel=manifest]')) return;
    const link = document.createElement('link');
    link.rel = 'manifest';
    link.href = './manifest.webmanifest';
    document.head.append(link);
  };
  for (const event of ['keydown', 'pointerdown'])
    document.addEventListener(event, offer, { once: true });
}
