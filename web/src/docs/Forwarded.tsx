import { FORWARDED } from './forwarded-calls';

/** The calls that pass unchanged, so that there is nothing of the gateway's to describe. */
export function Forwarded() {
  return (
    <section className="dx-op dx-forwarded" id="forwarded" aria-labelledby="forwarded-title">
      <h2 id="forwarded-title">Calls that are forwarded unchanged</h2>
      <p>
        The provider is that of the <code>model</code> in the request, or of the object that it is
        about. What they take and return is in the provider's API reference.
      </p>
      {FORWARDED.map(({ name, calls }) => (
        <div key={name} className="dx-fields">
          <h3>{name}</h3>
          <dl>
            {calls.map(([call, method, path]) => (
              <div key={`${method} ${path}`}>
                <dt>{call}</dt>
                <dd>
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
