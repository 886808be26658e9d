/**
 * Makes the page installable, from the first interaction on: the first load is a few requests.
 * There is no service worker: it could keep responses, and a page of another gateway.
 */
export function offerInstallation(): void {
  const offer = () => {
    if (document.querySelector('link[rel=manifest]')) return;
    add('manifest', './manifest.webmanifest');
    // iOS takes no other icon for the home screen.
    add('apple-touch-icon', './apple-touch-icon.png');
  };
  for (const event of ['keydown', 'pointerdown'])
    document.addEventListener(event, offer, { once: true });
}

function add(rel: string, href: string): void {
  const link = document.createElement('link');
  link.rel = rel;
  link.href = href;
  document.head.append(link);
}
