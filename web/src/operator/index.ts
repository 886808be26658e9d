export { Operator } from './Operator';
