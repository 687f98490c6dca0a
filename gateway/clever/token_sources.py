"""Where the tokens of districts are read from: settings, a file, or Clever's token listing.

https://dev.clever.com/docs/oauth-implementation: the listing has a row for each token of an app, at
`/oauth/tokens?owner_type=district`, for the app's client id and secret.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from gateway.clever.outside import Fetch, Unread, WatchedFile
from gateway.clever.values import is_id, read_timestamp

_LISTING = "/oauth/tokens?owner_type=district"
_MOST_PAGES = 100
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class TokenSource(Protocol):
    """Where tokens are read from, no more often than every `pause_s` seconds."""

    pause_s: float

    def changed(self) -> bool:
        """Say whether it is known, without asking anybody, that there are other tokens than those read last."""

    async def read(self) -> Mapping[str, str]:
        """Return the token of each district by the district's id. Raises Unread."""


class FixedTokens:
    """Tokens that are given once."""

    pause_s = 0.0

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = tokens

    def changed(self) -> bool:
        """Say no."""
        return False

    async def read(self) -> Mapping[str, str]:
        """Return them."""
        return self._tokens


class FileTokens:
    """Tokens in a JSON file, `{"<district id>": "<token>"}`, which may be replaced."""

    pause_s = 0.0

    def __init__(self, file: WatchedFile) -> None:
        self._file = file

    def changed(self) -> bool:
        """Say whether the file has been replaced."""
        return self._file.changed()

    async def read(self) -> Mapping[str, str]:
        """Read the file. Raises Unread."""
        return self.tokens()

    def tokens(self) -> dict[str, str]:
        """Read the file. Raises Unread."""
        try:
            return checked(msgspec.json.decode(self._file.read(), type=dict[str, str]))
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
            raise Unread('the file must be JSON, {"<district id>": "<token>"}') from None


class ListedTokens:
    """Tokens of an app as Clever lists them; of several tokens of a district, the one made last."""

    pause_s = 2.0

    def __init__(self, fetch: Fetch, origin: str, client_id: str, client_secret: str) -> None:
        self._fetch = fetch
        self._origin = origin
        self._authorization = f"Basic {b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"

    def changed(self) -> bool:
        """Say no: it takes a call to know."""
        return False

    async def read(self) -> Mapping[str, str]:
        """Read the listing to its end. Raises Unread."""
        newest: dict[str, tuple[datetime, str]] = {}
        target: str | None = _LISTING
        for _ in range(_MOST_PAGES):
            listing = await self._page(target)
            for row in listing.data:
                if row.owner.type == "district" and row.access_token:
                    made = read_timestamp(row.created) or _LONG_AGO
                    if row.owner.id not in newest or newest[row.owner.id][0] <= made:
                        newest[row.owner.id] = made, row.access_token
            target = next((link.uri for link in listing.links if link.rel == "next"), None)
            if target is None:
                return checked({district: token for district, (_, token) in newest.items()})
            if not target.startswith("/oauth/tokens?"):
                raise Unread("the token listing leads elsewhere; it was not followed")
        raise Unread(f"the token listing has more than {_MOST_PAGES} pages")

    async def _page(self, target: str | None) -> "_Listing":
        try:
            status, body = await self._fetch.get(f"{self._origin}{target}", authorization=self._authorization)
        except Unread as error:
            raise Unread(f"the token listing at {self._origin} could not be read: {error}") from None
        if status in (401, 403):
            raise Unread(
                f"the token listing at {self._origin} refuses the app (status {status}). Check "
                "GATEWAY_CLEVER_CLIENT_ID and GATEWAY_CLEVER_CLIENT_SECRET"
            )
        if status != 200:
            raise Unread(f"the token listing at {self._origin} answered with status {status}")
        try:
            return msgspec.json.decode(body, type=_Listing)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
            raise Unread(
                f"what answered at {self._origin} is not Clever's token listing. Check GATEWAY_CLEVER_OAUTH_URL"
            ) from None


class _Owner(msgspec.Struct):
    type: str
    id: str


class _Row(msgspec.Struct):
    owner: _Owner
    access_token: str | None = None
    created: str | None = None


class _Link(msgspec.Struct):
    rel: str | None = None
    uri: str | None = None


class _Listing(msgspec.Struct):
    data: list[_Row]
    links: list[_Link] = []


def read_pairs(text: str) -> dict[str, str]:
    """Read `district id=token` pairs that are separated by commas. Raises Unread."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    found = {district.strip(): token.strip() for district, _, token in pairs}
    if len(found) != len(pairs):
        raise Unread("a district is named twice")
    return checked(found)


def checked(tokens: Any) -> dict[str, str]:
    """Return tokens by district that can be used. Raises Unread, which repeats none of them."""
    for number, (district, token) in enumerate(tokens.items(), 1):
        if not is_id(district):
            raise Unread(f"entry {number} does not begin with a district's id, which is 24 lower-case hex digits")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise Unread(f"entry {number} has no token, or one that no header can carry")
    return dict(tokens)
