import { rich, t } from '../i18n';
import { FORWARDED } from './forwarded-calls';

/** The calls that pass unchanged, so that there is nothing of the gateway's to describe. */
export function Forwarded() {
  return (
    <section className="dx-op dx-forwarded" id="forwarded" aria-labelledby="forwarded-title">
      <h2 id="forwarded-title">{t('docs.forwarded')}</h2>
      <p>{rich('docs.forwardedText', { model: <code>model</code> })}</p>
      {FORWARDED.map(({ name, calls }) => (
        <div key={name} className="dx-fields">
          <h3 lang="en">{name}</h3>
          <dl>
            {calls.map(([call, method, path]) => (
              <div key={`${method} ${path}`}>
                <dt lang="en">{call}</dt>
                <dd className="ltr">
                  <span className="dx-method">{method}</span> <code>{path}</code>
                </dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
    </section>
  );
}
