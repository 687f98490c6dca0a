// The bar where people sign in: who is signed in, and the way in or out. The session is a cookie that no script sees.

const WHO = '{ viewer { user { name { first last } } roles } }';

const MISSING = 'Sign in to read data';
const ENDED = 'Your session has ended. Sign in again.';
const HEADER_REFUSED = 'The Authorization header in the Headers editor was refused.';

export function createPersonBar({ endpoint, signIn, signOut }) {
  const person = document.getElementById('person');
  const note = document.getElementById('token-note');
  const wayIn = document.getElementById('sign-in');
  const wayOut = document.getElementById('sign-out');
  let signedIn = false;

  document.getElementById('token-field').hidden = true;
  document.getElementById('person-field').hidden = false;
  wayIn.href = signIn;
  wayOut.action = signOut;

  function say(text, problem = false) {
    if (note.textContent !== text) note.textContent = text;
    note.classList.toggle('bar-problem', problem);
  }

  function show(names) {
    signedIn = names !== null;
    person.replaceChildren(...(names ?? []));
    wayIn.hidden = signedIn;
    wayOut.hidden = !signedIn;
    say(signedIn ? '' : MISSING);
  }

  async function ask(query) {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return response.json();
  }

  async function look() {
    const answer = await ask(WHO);
    if (coded(answer, 'UNAUTHENTICATED') || answer.data?.viewer === null) show(null);
    else show(named(answer.data?.viewer));
  }

  look().catch(() => say('The gateway cannot be reached.', true));

  return {
    token: '',
    missing() {
      const ended = signedIn;
      show(null);
      say(ended ? ENDED : MISSING, true);
    },
    headerRefused: () => say(HEADER_REFUSED, true),
    accepted: () => say(signedIn ? '' : MISSING),
  };
}

function coded(answer, code) {
  return answer.errors?.some((error) => error.extensions?.code === code) ?? false;
}

function named(viewer) {
  const { first, last } = viewer?.user?.name ?? {};
  const name = document.createElement('strong');
  name.textContent = [first, last].filter(Boolean).join(' ') || 'Signed in';
  if (!viewer?.roles?.length) return [name];
  const roles = document.createElement('small');
  roles.textContent = viewer.roles.map((role) => role.toLowerCase().replaceAll('_', ' ')).join(', ');
  return [name, roles];
}
