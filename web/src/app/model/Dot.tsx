/** A provider's colour, from its name. It says nothing that the name does not. */
export function Dot({ name }: { name: string }) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 997;
  return <span className="dot" data-hue={name ? hash % 12 : 'none'} aria-hidden="true" />;
}
