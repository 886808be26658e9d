export { isolated, perLanguage, rich, t, wholeNumber } from './translate';
