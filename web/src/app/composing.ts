/**
 * True for a key that an input method takes. Safari tells of the end of a composition before the
 * key that ends it, which then has the code 229 only.
 */
export function isComposing(event: Pick<KeyboardEvent, 'isComposing' | 'keyCode'>): boolean {
  return event.isComposing || event.keyCode === 229;
}

/**
 * Keeps the keys of input methods from every handler of the page, so that none can forget to test
 * for them. What the browser does by itself with such a key stays.
 */
export function keepCompositions(): void {
  addEventListener('keydown', (event) => isComposing(event) && event.stopImmediatePropagation(), {
    capture: true,
  });
}
