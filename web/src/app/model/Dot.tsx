/** A colour derived from the provider's name; decorative. */
export function Dot({ name }: { name: string }) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 997;
  return <span className="dot" data-hue={name ? hash % 12 : 'none'} aria-hidden="true" />;
}
