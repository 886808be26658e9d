export { Docs } from './Docs';
