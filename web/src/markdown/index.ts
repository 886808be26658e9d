export { loadMarkdown, Markdown, type MarkdownProps } from './LazyMarkdown';
