"""Documents that are asked for by an id or a hash: automatic persisted queries, and a manifest of trusted documents.

https://www.apollographql.com/docs/apollo-server/performance/apq and
https://github.com/graphql/graphql-over-http/blob/main/spec/Appendix%20A%20--%20Persisted%20Documents.md
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from gateway.engine.executor import Request
from gateway.errors import RequestRefused

Mode = Literal["off", "log", "enforce"]

_APOLLO = "apollo-persisted-query-manifest"
# What an entry costs beside its text: two strings' heads, a place in the table.
_ENTRY_BYTES = 300


class ManifestError(Exception):
    """The manifest of trusted documents cannot be used; the message says why."""


class Asked(msgspec.Struct, frozen=True):
    """A request as it was sent: a document's text, or its id or its SHA-256 in its place."""

    query: str | None = None
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None
    document_id: str | None = None
    sha256: str | None = None

    def with_text(self, text: str) -> Request:
        """Return the request for the document of this text."""
        return Request(text, self.operation_name, self.variables)


def read_manifest(path: Path) -> dict[str, str]:
    """Return the trusted documents of a file by their ids.

    Takes `{id: text}`, as graphql-codegen's client preset and Relay write it, and Apollo's manifest.
    Raises ManifestError.
    """
    try:
        held = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ManifestError(f"the manifest of trusted documents cannot be read ({error.strerror}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ManifestError("the manifest of trusted documents is not JSON.") from None
    if isinstance(held, dict) and held.get("format") == _APOLLO:
        operations = held.get("operations")
        held = (
            {one.get("id"): one.get("body") for one in operations if isinstance(one, dict)}
            if isinstance(operations, list)
            else None
        )
    if not isinstance(held, dict) or not all(isinstance(part, str) for pair in held.items() for part in pair):
        raise ManifestError(
            'the manifest of trusted documents must be an object of texts by id, {"<id>": "query ..."}, as '
            "graphql-codegen and Relay write it, or Apollo's manifest of operations with `id` and `body`."
        )
    return {_plain(name): text for name, text in held.items()}


class Texts(Protocol):
    """Texts of documents by their SHA-256, as this process or all of them keep them; none is kept for certain."""

    async def get(self, name: str) -> str | None:
        """Return a text that was put."""

    def put(self, name: str, text: str) -> None:
        """Keep a text."""


class PersistedDocuments:
    """Finds the text of what is asked for by id, and keeps the texts that callers register, within `most_bytes`.

    The store holds texts by their SHA-256 alone: whoever has the hash knows the text. It is one process's own; what
    others registered is in `shared`, and `recall` brings it.
    With a manifest, `mode` says what becomes of documents that are not in it: `off` runs them, `log` tells
    `on_untrusted` their SHA-256 and runs them, `enforce` refuses them.
    """

    def __init__(
        self,
        most_bytes: int,
        trusted: Mapping[str, str] | None = None,
        mode: Mode = "enforce",
        on_untrusted: Callable[[str], None] = lambda _sha256: None,
        shared: Texts | None = None,
    ) -> None:
        self._shared = shared
        self._most_bytes = most_bytes
        self._trusted = dict(trusted or {})
        self._mode: Mode = "off" if trusted is None else mode
        self._on_untrusted = on_untrusted
        self._store = TextStore(most_bytes)
        # Some manifests name documents by other hashes; a document is the same whatever it is called.
        self.texts = frozenset(self._trusted.values())
        self._names = {text: name for name, text in self._trusted.items()}

    async def recall(self, asked: Asked) -> None:
        """Have at hand the text that is asked for by its hash, if another process has registered it."""
        name = asked.sha256
        if self._shared is None or name is None or asked.query is not None or not self._most_bytes:
            return
        if name not in self._trusted and self._store.find(name) is None:
            text = await self._shared.get(name)
            if text is not None and _sha256(text) == name:
                self._store.put(name, text)

    def request(self, asked: Asked) -> Request:
        """Return the request with its document's text. Raises RequestRefused."""
        text = asked.query if asked.query is not None else self._find(asked)
        if asked.query is not None and asked.sha256 is not None and _sha256(text) != asked.sha256:
            raise RequestRefused("BAD_USER_INPUT", "provided sha does not match query")
        if self._mode != "off" and text not in self.texts:
            if self._mode == "enforce":
                raise RequestRefused(
                    "DOCUMENT_NOT_TRUSTED",
                    "Only trusted documents may be run here. Send one of the manifest's, or publish this one with "
                    "the client's next release.",
                    status=403,
                )
            self._on_untrusted(_sha256(text))
        return asked.with_text(text)

    def trusted_name(self, text: str) -> str | None:
        """Return what the manifest calls a document, None where it is not in it."""
        return self._names.get(text)

    def register(self, asked: Asked) -> None:
        """Keep the text of a request that brought both text and hash and turned out to be valid."""
        if asked.query is not None and asked.sha256 is not None and self._mode != "enforce":
            if self._shared is not None and self._most_bytes and self._store.find(asked.sha256) is None:
                self._shared.put(asked.sha256, asked.query)
            self._store.put(asked.sha256, asked.query)

    def _find(self, asked: Asked) -> str:
        name = asked.sha256 if asked.sha256 is not None else _plain(asked.document_id or "")
        found = self._trusted.get(name)
        if found is not None:
            return found
        if asked.sha256 is None:
            raise RequestRefused(
                "PERSISTED_QUERY_NOT_FOUND",
                "No trusted document has this id. Publish the client's manifest to the gateway before the client.",
                status=404,
            )
        if self._most_bytes == 0 and self._mode == "off":
            raise RequestRefused("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported", status=200)
        found = self._store.find(name)
        if found is None:
            raise RequestRefused("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", status=200)
        return found


@dataclass(slots=True)
class TextStore:
    """Texts by their hash, the one used longest ago first out; bounded in bytes."""

    most_bytes: int
    held: int = 0
    texts: OrderedDict[str, str] = field(default_factory=OrderedDict)

    async def get(self, name: str) -> str | None:
        """Return a text that was put."""
        return self.find(name)

    def find(self, name: str) -> str | None:
        """Return a text that was put."""
        found = self.texts.get(name)
        if found is not None:
            self.texts.move_to_end(name)
        return found

    def put(self, name: str, text: str) -> None:
        """Keep a text."""
        size = _size(text)
        if size > self.most_bytes:
            return
        if name in self.texts:
            self.texts.move_to_end(name)
            return
        self.texts[name] = text
        self.held += size
        while self.held > self.most_bytes:
            _, dropped = self.texts.popitem(last=False)
            self.held -= _size(dropped)


def _size(text: str) -> int:
    # The most that Python may take for a character.
    return _ENTRY_BYTES + (len(text) if text.isascii() else 4 * len(text))


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _plain(name: str) -> str:
    """Return an id without the prefix that names its hash."""
    return name.removeprefix("sha256:")
