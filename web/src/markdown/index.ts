export { CodeBlock } from './CodeBlock';
export { CopyButton } from './CopyButton';
export { Markdown } from './Markdown';
