export { LimitCard } from './LimitCard';
export { LimitRows, Limits } from './Limits';
export { type Limit, parseLimits } from './own-limits';
