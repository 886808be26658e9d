import { documentTag, languageStore } from '../i18n/language';

/**
 * Browsers that translate a page replace its texts by elements of their own. What changes while it
 * is shown is therefore marked `translate="no"`, and an answer is drawn anew at its end.
 */

/** By the marks of Chromium on the document, and of Firefox, which changes its language. */
export function isTranslated(): boolean {
  const { lang, className } = document.documentElement;
  return (
    lang !== documentTag(languageStore.get() ?? 'en') ||
    /\btranslated-(?:ltr|rtl)\b/.test(className)
  );
}

/** Lets elements be drawn beside a text that a translation has replaced. */
export function surviveTranslation(): void {
  const { insertBefore } = Node.prototype;
  Node.prototype.insertBefore = function <T extends Node>(this: Node, node: T, next: Node | null) {
    const known = next?.parentNode === this ? next : null;
    return insertBefore.call(this, node, known) as T;
  };
}
