import { type FunctionComponent, useEffect, useState } from 'react';

export interface MarkdownProps {
  text: string;
  /** More is coming: only the end is read again, and what is cut off is closed. */
  streaming?: boolean;
}

type View = FunctionComponent<MarkdownProps>;

let loaded: View | undefined;
let loading: Promise<View> | undefined;

/** Fetches the renderer: best before the first answer needs it. */
export function loadMarkdown(): Promise<View> {
  loading ??= import('./Markdown').then(
    (module) => {
      loaded = module.Markdown as View;
      return loaded;
    },
    (error) => {
      // The gateway may be away for a moment; the next message tries again.
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** A text as its Markdown says; as it stands until the renderer is there. */
export function Markdown(props: MarkdownProps) {
  const [Found, setFound] = useState<View | undefined>(() => loaded);
  useEffect(() => {
    let live = true;
    if (!Found) {
      loadMarkdown().then(
        (view) => live && setFound(() => view),
        () => {},
      );
    }
    return () => {
      live = false;
    };
  }, [Found]);
  return Found ? <Found {...props} /> : <div className="md as-text">{props.text}</div>;
}

// Whoever begins to type will want it within seconds: the first words of an
// answer should not have to wait for their renderer.
if (typeof document !== 'undefined') {
  const prepare = () => void loadMarkdown().catch(() => {});
  document.addEventListener('keydown', prepare, { once: true });
  document.addEventListener('pointerdown', prepare, { once: true });
}
