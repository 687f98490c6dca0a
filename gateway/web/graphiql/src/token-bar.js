// The bar's token field. The token lives in the input alone: never in the browser's storage, never in the address.

const REFUSED = 'This token was refused. Paste a Clever district-app token.';
const HEADER_REFUSED = 'The Authorization header in the Headers editor was refused.';
const MISSING = 'Paste a Clever district-app token to read data';

export function createTokenBar({ initial, onChange }) {
  const input = document.getElementById('token');
  const toggle = document.getElementById('token-toggle');
  const note = document.getElementById('token-note');
  let typing;

  const bar = {
    get token() {
      // People paste the whole header value, too.
      return input.value.trim().replace(/^bearer\s+/i, '');
    },
    missing: () => say(MISSING, { problem: true }),
    refused: () => say(REFUSED, { problem: true, invalid: true }),
    headerRefused: () => say(HEADER_REFUSED, { problem: true }),
    accepted: rest,
  };

  function say(text, { problem = false, invalid = false } = {}) {
    // A screen reader repeats a live region only when its text changes.
    if (note.textContent !== text) note.textContent = text;
    note.classList.toggle('bar-problem', problem);
    input.setAttribute('aria-invalid', String(invalid));
  }

  function rest() {
    say(bar.token ? '' : MISSING);
  }

  function changed() {
    clearTimeout(typing);
    onChange();
  }

  input.addEventListener('input', () => {
    rest();
    clearTimeout(typing);
    typing = setTimeout(changed, 400);
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') changed();
  });
  toggle.addEventListener('click', () => {
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    toggle.textContent = shown ? 'Hide' : 'Show';
    toggle.setAttribute('aria-label', shown ? 'Hide token' : 'Show token');
  });

  input.value = initial;
  rest();
  return bar;
}
