// The explorer plugin, opening at its top. On its own it moves the focus to the operation's last argument,
// which scrolls its pane to somewhere deep in the schema and takes the keyboard away from the button just pressed.
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createElement, useLayoutEffect, useRef } from 'react';

const plugin = explorerPlugin({ showAttribution: false });

function Explorer() {
  const pane = useRef(null);

  useLayoutEffect(() => {
    const opener = document.activeElement;
    const giveBack = (event) => {
      event.target.blur();
      opener?.focus();
      // The explorer selects the text of its field, too, and that scrolls once more.
      requestAnimationFrame(() => pane.current?.parentElement.scrollTo(0, 0));
    };
    // Until somebody acts again, only the explorer itself moves the focus.
    const settled = new AbortController();
    pane.current.addEventListener('focusin', giveBack, { signal: settled.signal });
    for (const act of ['keydown', 'pointerdown']) {
      addEventListener(act, () => settled.abort(), { capture: true, signal: settled.signal });
    }
    return () => settled.abort();
  }, []);

  return createElement('div', { ref: pane }, createElement(plugin.content));
}

export const explorer = { ...plugin, content: Explorer };
