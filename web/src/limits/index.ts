export { LimitCard } from './LimitCard';
export { Limits } from './Limits';
