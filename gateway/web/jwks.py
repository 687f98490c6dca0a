"""The keys that JWTs are signed with, as their issuer publishes them (JWKS, RFC 7517): read, kept and renewed."""

import asyncio
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from gateway.clever.outside import Unread
from gateway.errors import RequestRefused, UpstreamUnavailable

# Signatures made with a private key alone: what everybody can read must not be enough to make one.
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
}
_CURVES = frozenset(ALGORITHMS.values()) - {"RSA"}
_LEAST_RSA_BYTES = 2048 // 8
_MOST_KEYS = 100
# After this they are read anew beside the requests that still use them, after that before they are used, unless that
# fails; in the end they are no longer used.
_FRESH_S, _USABLE_S, _LONGEST_S = 600.0, 1200.0, 4 * 3600.0
# Reading is tried again after this: for a key that is unknown, and where there is none at all.
_PAUSE_S, _SHORT_PAUSE_S = 30.0, 2.0

Key = RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key: what its issuer calls it, the kind or curve that it is of, and the one algorithm it is for, if it says."""

    name: str | None
    kind: str
    algorithm: str | None
    key: Key

    def fits(self, algorithm: str) -> bool:
        """Say whether a signature of this algorithm can be checked with it."""
        return ALGORITHMS[algorithm] == self.kind and self.algorithm in (None, algorithm)


class PublicKeys:
    """The keys of one issuer. `on_problem` hears why they could not be read.

    `generation` changes whenever the keys do: what was verified before may have been signed by one that is gone.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        on_problem: Callable[[str], None] = lambda _problem: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._on_problem = on_problem
        self._clock = clock
        self._keys: list[PublicKey] = []
        self._identity: frozenset[tuple[str | None, str]] = frozenset()
        self._read_at = self._asked_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._failing = False
        self.generation = 0

    async def refresh(self) -> None:
        """Make sure that there are keys to use; those past their time are read anew while they are used.

        Raises RequestRefused where there are none.
        """
        now = self._clock()
        age = now - self._read_at
        if age < _FRESH_S:
            return
        if age < _LONGEST_S:
            if now - self._asked_at >= _PAUSE_S:
                self._start()
            if age >= _USABLE_S and self._under_way and not self._failing:
                await self._wait()
            return
        if now - self._asked_at >= _SHORT_PAUSE_S or self._under_way:
            await self._wait()
        if self._clock() - self._read_at >= _LONGEST_S:
            self._take([])
            raise RequestRefused(
                UpstreamUnavailable.code,
                "The keys that JWTs are checked with cannot be read at the moment. Try again; the log says why.",
                status=503,
            )

    async def find(self, name: str | None, algorithm: str) -> Key | None:
        """Return the key of this name for an algorithm, having looked for new ones; None where there is none.

        A token that names no key can only be checked where there is just one that fits.
        """
        found = self._find(name, algorithm)
        if found is None and (self._under_way or self._clock() - self._asked_at >= _PAUSE_S):
            await self._wait()
            found = self._find(name, algorithm)
        return found

    async def aclose(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    def _find(self, name: str | None, algorithm: str) -> Key | None:
        fitting = [one.key for one in self._keys if one.fits(algorithm) and name in (None, one.name)]
        return fitting[0] if len(fitting) == 1 or (fitting and name is not None) else None

    @property
    def _under_way(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _start(self) -> "asyncio.Task[None]":
        """Begin to read, unless that is under way."""
        if self._reading is None or self._reading.done():
            self._asked_at = self._clock()
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _wait(self) -> None:
        await asyncio.shield(self._start())

    async def _read(self) -> None:
        try:
            keys = read_keys(await self._fetch())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the keys at hand are used
            problem = str(error) if isinstance(error, Unread) else f"something unexpected ({type(error).__name__})"
            self._failing = True
            self._on_problem(problem)
        else:
            self._failing = False
            self._read_at = self._clock()
            self._take(keys)

    def _take(self, keys: list[PublicKey]) -> None:
        identity = frozenset((one.name, one.key.thumbprint()) for one in keys)
        if identity != self._identity:
            self.generation += 1
        self._keys, self._identity = keys, identity


def read_keys(body: bytes) -> list[PublicKey]:
    """Return the keys of a set that signatures may be checked with; others are passed over. Raises Unread."""
    try:
        rows = msgspec.json.decode(body)["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError):
        rows = None
    if not isinstance(rows, list):
        raise Unread('what answered is no set of keys, {"keys": [...]}')
    if len(rows) > _MOST_KEYS:
        raise Unread(f"the set has more than {_MOST_KEYS} keys")
    return [key for key in map(_read_key, rows) if key is not None]


def _read_key(row: Any) -> PublicKey | None:
    if not isinstance(row, dict) or row.get("use", "sig") != "sig":
        return None
    name, algorithm = row.get("kid"), row.get("alg")
    if not isinstance(name, str | None) or not (algorithm is None or algorithm in ALGORITHMS):
        return None
    try:
        if row.get("kty") == "RSA" and _octets(row["n"]) >= _LEAST_RSA_BYTES:
            return PublicKey(name, "RSA", algorithm, RSAKey.import_key({"kty": "RSA", "n": row["n"], "e": row["e"]}))
        if row.get("kty") == "EC" and row["crv"] in _CURVES:
            point = {"kty": "EC", "crv": row["crv"], "x": row["x"], "y": row["y"]}
            return PublicKey(name, row["crv"], algorithm, ECKey.import_key(point))
    except (JoseError, ValueError, TypeError, KeyError):
        pass
    return None


def _octets(number: str) -> int:
    return len(urlsafe_b64decode(number + "==").lstrip(b"\0"))
