"""Clever's part in signing in: the page where a person agrees, and the exchange of a code for the person's token.

Clever's docs: oauth-implementation. A code is good once, within a minute; PKCE is optional here, as Clever does not
mention it. Clever knows who is sitting there; here the visitor says whom to take them for.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from .answers import Answer, json
from .chooser import ROLES, Chooser, Search, page
from .oauth import CLIENT_ID, is_ours, refused
from .tokens import Grant, Kind
from .world import World

CODE_SECONDS = 60
MOST_CODES, MOST_TOKENS = 1_000, 10_000
CALLBACK = "/oauth/callback"
FIRST_CALLBACK = f"http://127.0.0.1:8000{CALLBACK}"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What an app sends along, and what the page must hand on.
_ASKED = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str
    until: float


class _Asking(NamedTuple):
    """A sign-in under way: where it leads, and with what."""

    redirect_uri: str
    state: str
    challenge: str


class SignIn:
    """Lets people sign in, and puts the tokens they get into `grants`, up to 10,000 of them."""

    def __init__(
        self,
        worlds: Sequence[World],
        grants: MutableMapping[str, Grant],
        redirect_uris: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._worlds = worlds
        self._grants = grants
        self._redirect_uris = tuple(redirect_uris)
        self._clock = clock
        self._chooser = Chooser(worlds)
        self._codes: dict[str, _Code] = {}
        self._issued: deque[str] = deque()

    def answer(self, path: str, query: str, method: str, asked: Mapping[bytes, bytes], body: bytes) -> Answer | None:
        """Answer a call below `/oauth`; None where it has nothing to do with signing in."""
        match method, path:
            case "POST", "/oauth/tokens":
                return self._exchange(asked, body)
            case "GET", "/oauth/authorize" | "/oauth/instant-login":
                return self._offer(path, _form(query.encode("latin-1")))
            case "POST", "/oauth/authorize" | "/oauth/instant-login":
                return self._chosen(path, _form(body))
        return None

    def _offer(self, path: str, form: Form) -> Answer:
        asking = self._asking(path, form)
        if isinstance(asking, Answer):
            return asking
        district = next((at for at, one in enumerate(self._worlds) if one.id == form.get("district_id")), 0)
        role = form.get("role", "")
        search = Search(district, role if role in ROLES else "", form.get("q", "")[:80])
        hidden = {name: form[name] for name in _ASKED if name in form}
        target = path.rpartition("/")[2]
        to = urlsplit(asking.redirect_uri)
        return self._chooser.page(search, hidden, target, f"{to.scheme}://{to.netloc}")

    def _chosen(self, path: str, form: Form) -> Answer:
        asking = self._asking(path, form)
        if isinstance(asking, Answer):
            return asking
        if "cancel" in form:
            return _back(asking, error="access_denied")
        grant = self._grant(form.get("district_id", ""), form.get("person", ""))
        if grant is None:
            return _problem("There is no such person here.")
        now = self._clock()
        self._forget(now)
        code = secrets.token_hex(20)
        self._codes[code] = _Code(grant, asking.redirect_uri, asking.challenge, now + CODE_SECONDS)
        return _back(asking, code=code)

    def _forget(self, now: float) -> None:
        """Make room for a code: the oldest go that are past their time or too many."""
        while self._codes:
            oldest = next(iter(self._codes))
            if len(self._codes) < MOST_CODES and self._codes[oldest].until >= now:
                return
            del self._codes[oldest]

    def _asking(self, path: str, form: Form) -> _Asking | Answer:
        """Check what the app asks; return a page where its wishes must not be followed back to it."""
        if form.get("client_id") != CLIENT_ID:
            return _problem(f"The app's client_id is not known here. The sandbox knows {CLIENT_ID}.")
        if path == "/oauth/instant-login":
            # From Clever's own portal: to the first address that the app registered, and without a state.
            return _Asking((*self._redirect_uris, FIRST_CALLBACK)[0], "", "")
        redirect_uri = form.get("redirect_uri", "")
        if not self._allows(redirect_uri):
            return _problem(
                "The app's redirect_uri is not registered. Give it to the sandbox with --redirect-uri; without that "
                f"option any {CALLBACK} on this machine will do."
            )
        asking = _Asking(redirect_uri, form.get("state", ""), form.get("code_challenge", ""))
        if form.get("response_type") != "code":
            return _back(asking, error="unsupported_response_type")
        if asking.challenge and form.get("code_challenge_method") != "S256":
            return _back(asking, error="invalid_request")
        return asking

    def _allows(self, redirect_uri: str) -> bool:
        if self._redirect_uris:
            return redirect_uri in self._redirect_uris
        try:
            parts = urlsplit(redirect_uri)
            host, port = parts.hostname, parts.port
        except ValueError:
            return False
        plain = {f"{parts.scheme}://{name}{f':{port}' if port else ''}{CALLBACK}" for name in (host, f"[{host}]")}
        return parts.scheme in ("http", "https") and host in _LOOPBACK and redirect_uri in plain

    def _grant(self, district_id: str, person: str) -> Grant | None:
        if person == "demo":
            return next(grant for grant in self._grants.values() if grant.demo and grant.login_role == "teacher")
        world = next((world for world in self._worlds if world.id == district_id), None)
        if world is None:
            return None
        users = world.tables["users"]
        library = person == "library"
        at = world.relations.users_by_role["teacher"][0] if library else users.position.get(person)
        if at is None:
            return None
        held = users.decoded_one(at)["roles"]
        return Grant("", Kind.USER, world, at, next(role for role in ROLES if role in held), library=library)

    def _exchange(self, asked: Mapping[bytes, bytes], body: bytes) -> Answer:
        if not is_ours(asked.get(b"authorization", b"")):
            return refused(401, "invalid_client", "Client id or secret is wrong")
        form = _read(asked.get(b"content-type", b""), body)
        if form is None:
            return refused(400, "invalid_request", "The body is neither a form nor a JSON object of strings")
        if form.get("grant_type") != "authorization_code":
            return refused(400, "unsupported_grant_type", "grant_type must be authorization_code")
        given = self._codes.pop(form.get("code", ""), None)
        if given is None or given.until < self._clock():
            return refused(400, "invalid_grant", "invalid code")
        if form.get("redirect_uri") != given.redirect_uri:
            return refused(400, "invalid_grant", "redirect_uri is not the one that the code was given for")
        if given.challenge and not hmac.compare_digest(_challenge(form.get("code_verifier", "")), given.challenge):
            return refused(400, "invalid_grant", "code_verifier does not fit the code_challenge")
        return json(200, {"access_token": self._admit(given.grant), "token_type": "bearer"})

    def _admit(self, grant: Grant) -> str:
        """Keep a new token of a person; the oldest goes where there are too many."""
        token = f"{'ilc_DEMO_' if grant.demo else 'il'}{secrets.token_hex(20)}"
        self._grants[token] = replace(grant, token=token)
        self._issued.append(token)
        if len(self._issued) > MOST_TOKENS:
            del self._grants[self._issued.popleft()]
        return token


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _form(encoded: bytes) -> Form:
    """Read a form; of a field that comes again the first counts. What is no form is an empty one."""
    try:
        return dict(reversed(parse_qsl(encoded.decode(), keep_blank_values=True, max_num_fields=50)))
    except ValueError:
        return {}


def _read(content_type: bytes, body: bytes) -> Form | None:
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        return _form(body)
    try:
        return msgspec.json.decode(body, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _problem(sentence: str) -> Answer:
    return page("Sign in, simulated", f"<h1>This cannot be signed in to</h1><p>{sentence}</p>", status=400)


def _back(asking: _Asking, **fields: str) -> Answer:
    if asking.state:
        fields["state"] = asking.state
    separator = "&" if "?" in asking.redirect_uri else "?"
    location = f"{asking.redirect_uri}{separator}{urlencode(fields)}"
    return Answer(303, b"", b"", more=((b"location", location.encode("latin-1")),))
