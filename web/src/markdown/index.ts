export { copyText, saveFile } from './actions';
export { CodeBlock } from './CodeBlock';
export { CopyButton } from './CopyButton';
export { Markdown } from './Markdown';
