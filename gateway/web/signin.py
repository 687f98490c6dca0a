"""Sign in with Clever, for browsers: `/login`, `/oauth/callback` and `/logout`.

Only a sign-in that this browser began here is finished: its state and its PKCE verifier lie in an encrypted cookie for
ten minutes. People who come from Clever's portal bring a code without a state, which could be anybody's: it is thrown
away, and they are sent through a sign-in of our own, which Clever answers without asking them again.
"""

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.access.source import Source
from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import USERS
from gateway.clever.signin import AppRefused, CleverSignIn, CodeRefused
from gateway.clever.values import is_id
from gateway.errors import GatewayError
from gateway.identity import Tenant, Viewer
from gateway.web.hosts import LOOPBACK_NAMES
from gateway.web.pages import page
from gateway.web.sessions import Seal, Sessions, cookie_of, set_cookie
from gateway.web.spent import Others, Spent

LOGIN, CALLBACK, LOGOUT = "/login", "/oauth/callback", "/logout"
_FLOW_S = 600
# Tabs of one browser that are signing in at the same time.
_MOST_FLOWS = 4
_LONGEST_PATH = 1_000
# Browsers take 4096 bytes with name and attributes.
_LARGEST_COOKIE = 3_800
_RECORD_S, _RECORD_CALLS = 15.0, 5

Tenants = Callable[[str], Awaitable[Tenant | None]]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What subscribers hear of a sign-in that came back: how it ended and, where it went well, who it was."""

    outcome: str
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Where browsers find the gateway: its origin, and the path that they are led to if they asked for none."""

    origin: str
    home: str

    @property
    def secure(self) -> bool:
        """Tell whether browsers come by https."""
        return self.origin.startswith("https:")


class _Ended(Exception):
    """A sign-in cannot be finished: its outcome for the log; title, text and status of the page for the person, and
    what its link to begin again says, if there is one.
    """

    def __init__(self, outcome: str, title: str, text: str, status: int = 403, again: str | None = "Sign in") -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self._title, self._text, self._status, self._again = title, text, status, again

    def page(self, onward: str) -> Response:
        """Return the page, whose link leads to `onward` in the end."""
        link = (f"{LOGIN}?{urlencode({'next': onward})}", self._again) if self._again else None
        return page(self._title, self._text, self._status, link)


class SignIn:
    """Leads browsers to Clever and back, and begins and ends their sessions.

    `others` are the processes in which a sign-in that was finished here cannot be finished once more.
    """

    def __init__(
        self,
        clever: CleverSignIn,
        sessions: Sessions,
        flows: Seal,
        site: Site,
        tenants: Tenants,
        source: Callable[[], Source],
        on_signed_in: Callable[[SignedIn], None] = lambda _done: None,
        clock: Callable[[], float] = time.time,
        others: Others | None = None,
    ) -> None:
        self._clever = clever
        self._sessions = sessions
        self._flows = flows
        self._site = site
        self._tenants = tenants
        self._source = source
        self._on_signed_in = on_signed_in
        self._clock = clock
        self._used = Spent(clock=clock, others=others)
        self._cookie = "__Host-clever_sign_in" if site.secure else "clever_sign_in"

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route(LOGIN, self.login),
            Route(CALLBACK, self.callback),
            Route(LOGOUT, self.logout, methods=["POST"]),
        ]

    async def login(self, request: Request) -> Response:
        """Send the browser to Clever; `next` is the path that it comes back to, `district` saves looking for that."""
        if self._by_another_name(request):
            return RedirectResponse(f"{self._site.origin}{LOGIN}?{request.url.query}", 303, _NO_STORE)
        district = request.query_params.get("district", "")
        return self._begin(request, self._safe(request.query_params.get("next")), district if is_id(district) else None)

    async def callback(self, request: Request) -> Response:
        """Take the browser back from Clever: begin its session, or say why not."""
        state = request.query_params.get("state")
        if not state and "error" not in request.query_params:
            return self._begin(request, self._site.home)
        flow = await self._take(request, state) if state else None
        onward = flow["next"] if flow else self._site.home
        try:
            if flow is None:
                raise _not_ours()
            session = await self._finish(request, flow)
        except _Ended as ended:
            self._on_signed_in(SignedIn(ended.outcome))
            response = ended.page(onward)
        else:
            self._on_signed_in(SignedIn("signed_in", Viewer(session[0])))
            self._sessions.end_named(request.headers.get("cookie", ""))
            response = RedirectResponse(onward, 303, _NO_STORE)
            self._sessions.begin(response, *session)
        self._remember(response, [one for one in self._pending(request) if one["state"] != state])
        return response

    async def logout(self, request: Request) -> Response:
        """End the session, if a page of our own asks for that; lead on to `next`."""
        if not self._from_our_page(request):
            text = "Another site asked to sign you out here. You are still signed in."
            return page("Not signed out", text, 403, (self._site.home, "Go on"))
        response = RedirectResponse(self._safe(request.query_params.get("next")), 303, _NO_STORE)
        self._sessions.end(response, request.headers.get("cookie", ""))
        # What a browser keeps of answers is no less private than the session was.
        response.headers["clear-site-data"] = '"cache"'
        return response

    def tidy(self, request: Request, response: Response) -> None:
        """Have the browser forget, with this response, a session that has ended: it would only be refused."""
        self._sessions.tidy(response, request.headers.get("cookie", ""))

    def _begin(self, request: Request, onward: str, district: str | None = None) -> Response:
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        flow = {"state": state, "verifier": verifier, "next": onward, "until": self._clock() + _FLOW_S}
        response = RedirectResponse(self._clever.address(state, verifier, district), 303, _NO_STORE)
        self._remember(response, [*self._pending(request), flow])
        return response

    async def _finish(self, request: Request, flow: Mapping[str, Any]) -> tuple[str, str]:
        """Return the ids of the user and the district. Raises _Ended."""
        code = request.query_params.get("code")
        if "error" in request.query_params or not code:
            raise _Ended("cancelled", "Not signed in", "Clever did not sign you in, or you chose not to.", 403)
        try:
            identity = await self._clever.identity(code, flow["verifier"])
        except CodeRefused:
            text = "Signing in took too long, or was begun twice. Try again."
            raise _Ended("code_refused", "Not signed in", text, 400) from None
        except AppRefused:
            text = "This application and Clever do not agree about its key. Its administrators must look after that."
            raise _Ended("app_refused", "Sign-in is not set up right", text, 502, again=None) from None
        except GatewayError as error:
            raise _unavailable(error) from None
        if not identity.district:
            text = (
                "Accounts of Clever Library belong to no school district, and this application serves districts only."
            )
            raise _Ended("no_district", "This account cannot sign in", text, again="Sign in with another account")
        return await self._known(identity.user_id, identity.district)

    async def _known(self, user_id: str, district: str) -> tuple[str, str]:
        """Return both ids if the roster of the district, as the gateway may read it, has the person. Raises _Ended."""
        tenant = await self._tenants(district)
        if tenant is None:
            text = "Your school district has not connected this application. Its administrators can do that in Clever."
            raise _Ended("district_not_connected", "Your district is not connected", text)
        if not is_id(user_id) or await self._lacks(tenant, user_id):
            text = (
                "Your school district's roster, as shared with this application, does not have this account. Accounts "
                "that the district does not share, and Clever's demo accounts, cannot sign in here."
            )
            raise _Ended("not_in_roster", "This account cannot sign in", text, again="Sign in with another account")
        return user_id, district

    async def _lacks(self, tenant: Tenant, user_id: str) -> bool:
        """Say whether Clever shows no such user now. Raises _Ended."""
        try:
            found = await self._source().read(tenant, RecordCall(USERS, user_id), Allowance(_RECORD_S, _RECORD_CALLS))
        except GatewayError as error:
            raise _unavailable(error) from None
        return found.missing

    def _pending(self, request: Request) -> list[dict[str, Any]]:
        """Return what this browser has begun and not finished in time."""
        sealed = cookie_of(request.headers.get("cookie", ""), self._cookie)
        opened = self._flows.open(sealed) if sealed else None
        now = self._clock()
        return [flow for flow in opened["flows"] if flow["until"] > now] if opened else []

    def _remember(self, response: Response, flows: list[dict[str, Any]]) -> None:
        flows = flows[-_MOST_FLOWS:]
        sealed = self._flows.close({"flows": flows}) if flows else ""
        while len(sealed) > _LARGEST_COOKIE:
            flows = flows[1:]
            sealed = self._flows.close({"flows": flows})
        set_cookie(response, self._cookie, sealed, _FLOW_S if flows else 0, secure=self._site.secure)

    async def _take(self, request: Request, state: str) -> dict[str, Any] | None:
        """Return the sign-in that a state belongs to, once."""
        for flow in self._pending(request):
            if hmac.compare_digest(flow["state"].encode(), state.encode()):
                return flow if await self._used.take(state, flow["until"]) else None
        return None

    def _safe(self, onward: str | None) -> str:
        """Return a path of this origin: what was asked for if it is one, else the home."""
        asked = onward or ""
        # Browsers take a backslash for a slash, and leave out tabs and line ends; two slashes begin a host.
        plain = asked.isascii() and asked.isprintable() and not {"\\", " "} & set(asked)
        if not plain or not asked.startswith("/") or asked.startswith("//") or len(asked) > _LONGEST_PATH:
            return self._site.home
        return asked

    def _from_our_page(self, request: Request) -> bool:
        """Tell whether a browser sent this for a page of ours; what is no browser has nobody to protect."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        return request.headers.get("origin", self._site.origin) == self._site.origin

    def _by_another_name(self, request: Request) -> bool:
        """Tell whether this machine is spoken to by another of its names, which has cookies of its own."""
        ours = urlsplit(self._site.origin).netloc
        asked = request.headers.get("host", ours).lower()
        return asked != ours and {_name(asked), _name(ours)} <= set(LOOPBACK_NAMES)


_NO_STORE = {"cache-control": "no-store"}


def _name(netloc: str) -> str:
    name, colon, port = netloc.rpartition(":")
    return name if colon and port.isdecimal() else netloc


def _not_ours() -> _Ended:
    text = "This sign-in was not begun in this browser, has been finished already, or was left lying too long."
    return _Ended("unknown_state", "Not signed in", text, 400)


def _unavailable(error: GatewayError) -> _Ended:
    text = "Clever does not answer as it should. Try again in a few minutes."
    return _Ended(error.code.lower(), "Clever cannot be reached", text, 503, again="Try again")
