// GraphiQL under the bar. Everything it needs to know about the server is in the page's <meta> tags.
import './workers.js';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { explorer } from './explorer.js';
import { createFetcher } from './fetcher.js';
import { createPersonBar } from './person-bar.js';
import { createPlans } from './plans.js';
import { createTokenBar } from './token-bar.js';
import { Waterfall } from './waterfall.js';

const setting = (name) => document.querySelector(`meta[name="${name}"]`).content;

export function start(examples) {
  const endpoint = new URL(setting('graphql-endpoint'), location.href).href;
  const root = createRoot(document.getElementById('graphiql'));
  const plans = createPlans(explainToggle());
  let schemaLoaded = false;

  const signIn = setting('sign-in');
  const bar = signIn
    ? createPersonBar({ endpoint, signIn, signOut: setting('sign-out') })
    : createTokenBar({
        initial: setting('demo-token'),
        onChange() {
          if (!schemaLoaded) render();
        },
      });

  const options = {
    // No history: it would keep the Headers editor, and so a token, in the browser's storage.
    plugins: [explorer],
    shouldPersistHeaders: false,
    defaultTabs: examples,
    defaultEditorToolsVisibility: 'variables',
    onSchemaChange() {
      schemaLoaded = true;
    },
  };

  // GraphiQL asks for the schema whenever its fetcher is another one.
  function render() {
    const fetcher = createFetcher({ endpoint, bar, plans });
    const footer = createElement(GraphiQL.Footer, null, createElement(Waterfall, { plans }));
    root.render(createElement(GraphiQL, { ...options, fetcher }, footer));
  }

  render();
}

// Only a server that tells its plans gets to be asked for them.
function explainToggle() {
  if (setting('explain') !== 'on') return null;
  document.getElementById('explain-field').hidden = false;
  return document.getElementById('explain');
}
