/** A description of the OpenAPI document: text between backticks is code. */
export function Text({ text }: { text: string }) {
  return text
    .split(/`([^`]+)`/)
    .map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part));
}
