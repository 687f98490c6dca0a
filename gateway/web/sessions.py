"""Sessions of people who signed in: an encrypted cookie, which names user and district and nothing else.

Cookies are JSON Web Encryption (`dir`, A256GCM) under keys derived from the secrets of the settings. What a process
must remember besides is small: the sessions that were ended before their time, here or by another process.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.responses import Response

from gateway.errors import Unauthenticated
from gateway.identity import Caller, Tenant, Viewer
from gateway.web.headers import RequestHeaders
from gateway.web.spent import Others, Spent

_ALGORITHMS = ["dir", "A256GCM"]
_HEADER = {"alg": "dir", "enc": "A256GCM"}
# Longer than any cookie of ours, and as long as browsers keep one.
_LONGEST = 4096
_MOST_OPENED = 10_000


class Seal:
    """Encrypts small JSON objects under the first of several secrets, and opens what any of them encrypted.

    What was sealed for one purpose opens for no other.
    """

    def __init__(self, secret: Sequence[str], purpose: str) -> None:
        info = f"clever-graphql-gateway {purpose}".encode()
        self._keys = [OctKey.import_key(HKDF(SHA256(), 32, None, info).derive(one.encode())) for one in secret]

    def close(self, value: Mapping[str, Any]) -> str:
        """Return a value as text that only we can read or change."""
        return jwe.encrypt_compact(_HEADER, json.dumps(value, separators=(",", ":")), self._keys[0], _ALGORITHMS)

    def open(self, text: str) -> dict[str, Any] | None:
        """Return what was sealed; None where it was not, or under a secret that is gone."""
        if len(text) > _LONGEST or not text.isascii():
            return None
        for key in self._keys:
            try:
                sealed = jwe.decrypt_compact(text, key, _ALGORITHMS).plaintext
                value = json.loads(sealed or b"")
            except (JoseError, ValueError, RecursionError):
                continue
            return value if isinstance(value, dict) else None
        return None


@dataclass(frozen=True, slots=True)
class Session:
    """A person who signed in, by Clever's ids; `name` is the session's among those ended, `until` in unix seconds."""

    user_id: str
    district: str
    name: str
    until: float

    def __repr__(self) -> str:
        return f"Session(until={self.until:.0f})"


class Sessions:
    """Begins, recognises and ends sessions of `seconds`; `secure` where browsers come by https.

    `others` are the processes that sessions end in, too.
    """

    def __init__(
        self,
        secret: Sequence[str],
        seconds: float,
        *,
        secure: bool,
        clock: Callable[[], float] = time.time,
        others: Others | None = None,
    ) -> None:
        self._seal = Seal(secret, "session")
        self._seconds = seconds
        self._secure = secure
        self._clock = clock
        self._ended = Spent(clock=clock, others=others)
        # No cookie of another host, or by http, can stand in for one with this prefix.
        self.cookie = "__Host-clever_session" if secure else "clever_session"
        # Decryption takes longer than everything else here; what could not be opened is not kept.
        self._open = lru_cache(maxsize=_MOST_OPENED)(self._read)

    def begin(self, response: Response, user_id: str, district: str) -> None:
        """Begin a session of the person: the browser gets its cookie with this response."""
        until = self._clock() + self._seconds
        sealed = self._seal.close(
            {"user": user_id, "district": district, "id": secrets.token_urlsafe(12), "until": until}
        )
        set_cookie(response, self.cookie, sealed, int(self._seconds), secure=self._secure)

    def find(self, cookies: str) -> Session | None:
        """Return the session that a `Cookie` header names; None where it names none.

        Raises Unauthenticated where it names one that has ended.
        """
        sealed = cookie_of(cookies, self.cookie)
        if sealed is None:
            return None
        try:
            session = self._open(sealed)
        except LookupError:
            raise _over() from None
        if session.until <= self._clock() or session.name in self._ended:
            raise _over()
        return session

    def end(self, response: Response, cookies: str) -> None:
        """End the session that a `Cookie` header names, if there is one; the browser forgets it with this response."""
        self.end_named(cookies)
        set_cookie(response, self.cookie, "", 0, secure=self._secure)

    def end_named(self, cookies: str) -> None:
        """End the session that a `Cookie` header names, if there is one, whatever the browser keeps."""
        try:
            session = self.find(cookies)
        except Unauthenticated:
            return
        if session is not None:
            self._ended.add(session.name, session.until)

    def tidy(self, response: Response, cookies: str) -> None:
        """Have the browser forget, with this response, a session that has ended."""
        try:
            self.find(cookies)
        except Unauthenticated:
            set_cookie(response, self.cookie, "", 0, secure=self._secure)

    def _read(self, sealed: str) -> Session:
        value = self._seal.open(sealed)
        if value is None:
            raise LookupError
        return Session(value["user"], value["district"], self._ended.spelled(value["id"]), value["until"])


class SessionAuthenticator:
    """Takes the session's cookie for the person who signed in, in the world of the person's district.

    A request that carries `Authorization` is none of its business, whatever cookies it brings besides.
    `tenant_of_district` answers at once for districts that it knows, and with None for those that are not connected.
    """

    def __init__(
        self,
        sessions: Sessions,
        tenant_of_district: Callable[[str], Awaitable[Tenant | None]],
        permissions: Set[str] = frozenset(),
    ) -> None:
        self._sessions = sessions
        self._tenant_of_district = tenant_of_district
        self._permissions = permissions

    async def caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the person as the caller; None where there is no session.

        Raises Unauthenticated where the session has ended, or the district is not connected any more.
        """
        cookies = headers.get("cookie")
        if cookies is None or headers.get("authorization") is not None:
            return None
        session = self._sessions.find(cookies)
        if session is None:
            return None
        tenant = await self._tenant_of_district(session.district)
        if tenant is None:
            raise Unauthenticated(
                "Your district is not connected to this application any more. Ask its administrators."
            )
        return Caller(tenant, Viewer(session.user_id), self._permissions)


def cookie_of(cookies: str, name: str) -> str | None:
    """Return the value that a `Cookie` header gives a name; the first, where there are several."""
    for part in cookies.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return None


def set_cookie(response: Response, name: str, value: str, seconds: int, *, secure: bool) -> None:
    """Have the browser keep a cookie that no script reads and no other site sends; 0 seconds drop it."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")


def _over() -> Unauthenticated:
    return Unauthenticated("Your session has ended. Sign in again at `/login`.")
