import { memo, type ReactNode, useEffect, useState } from 'react';
import { loadModule } from '../load-module';

type ToMath = (tex: string, display: boolean) => ReactNode;

let loaded: ToMath | undefined;
let loading: Promise<ToMath> | undefined;

function load(): Promise<ToMath> {
  loading ??= loadModule(() => import('./math-render')).then(
    (module) => {
      loaded = module.toMath;
      return module.toMath;
    },
    (error) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** Shows the source until the renderer is loaded, and for invalid TeX. */
export const MathView = memo(function MathView({
  tex,
  display,
}: {
  tex: string;
  display: boolean;
}) {
  const [render, setRender] = useState<ToMath | undefined>(() => loaded);
  useEffect(() => {
    let live = true;
    if (!render)
      load().then(
        (found) => live && setRender(() => found),
        () => {},
      );
    return () => {
      live = false;
    };
  }, [render]);
  const formula = render?.(tex, display) ?? <code>{tex}</code>;
  return (
    <span dir="ltr" translate="no" className={display ? 'md-math display' : 'md-math'}>
      {formula}
    </span>
  );
});
