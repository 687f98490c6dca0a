// One POST per operation, with the bar's token unless the Headers editor brings its own.
import { takePlan } from './plans.js';

const EXPLAIN = 'x-clever-explain';

export function createFetcher({ endpoint, bar, plans }) {
  return async ({ query, variables, operationName }, { headers: typed } = {}) => {
    const headers = new Headers({
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'content-type': 'application/json',
    });
    for (const [name, value] of Object.entries(typed ?? {})) headers.set(name, value);
    const { token } = bar;
    // `Headers` ignores case: an "AUTHORIZATION" typed by hand counts.
    const own = headers.has('authorization');
    if (token && !own) headers.set('authorization', bearer(token, bar));

    // The explorer and the editor ask for the schema by themselves: that is nobody's answer.
    const shown = operationName !== 'IntrospectionQuery';
    const { tab } = plans;
    if (shown && plans.wanted && !headers.has(EXPLAIN)) headers.set(EXPLAIN, 'plan');

    const response = await fetch(endpoint, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables, operationName }),
    });
    const answer = await parsed(response);
    report(answer, { bar, token, own, operationName });
    if (shown) plans.keep(tab, takePlan(answer));
    return answer;
  };
}

function bearer(token, bar) {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    bar.refused();
    throw new Error('The token in the bar holds a character that no token can have.');
  }
  return `Bearer ${token}`;
}

async function parsed(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    const problem = `HTTP ${response.status} ${response.statusText}`.trim();
    return { errors: [{ message: `The answer is not JSON (${problem}).` }] };
  }
}

function report(answer, { bar, token, own, operationName }) {
  const refused = answer.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED');
  if (refused) {
    if (own) bar.headerRefused();
    else if (token) bar.refused();
    else bar.missing();
  } else if (operationName !== 'IntrospectionQuery') {
    // Reading the schema may need no token, so only data proves one.
    bar.accepted();
  }
}
