import { t } from '../i18n';
import { asObject, isEmpty, text } from './json';
import type { ApiError } from './types';

/** The error of a body in any format; never throws. */
export function toApiError(body: unknown, fallback = t('fault.noText')): ApiError {
  const whole = asObject(body);
  const error = whole?.error;
  const object = asObject(error) ?? (isEmpty(error) ? whole : undefined);
  const member = (v: unknown) =>
    typeof v === 'string' ? v : typeof v === 'number' ? String(v) : null;
  return {
    message: text(object?.message) || text(error) || text(whole?.message) || fallback,
    type: member(object?.type),
    param: member(object?.param),
    code: member(object?.code),
  };
}
