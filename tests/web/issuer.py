"""An issuer of JWTs: keys of its own, published where a test says, and tokens as good or as bad as asked for."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from datetime import timedelta
from functools import lru_cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, RSAKey

ISSUER, AUDIENCE = "https://login.example.org/", "clever-graphql"
KINDS = ("RSA", "P-256", "P-384", "P-521")
KIND_OF = {"RS": "RSA", "PS": "RSA", "ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")

Key = RSAKey | ECKey


def key_of(kind: str, name: str = "") -> Key:
    """Return a key of a kind; the same for the same name."""
    return _made(kind, f"{kind}{name}")


@lru_cache
def _made(kind: str, name: str) -> Key:
    parameters: KeyParameters = {"kid": name}
    if kind == "RSA":
        return RSAKey.generate_key(2048, parameters)
    return ECKey.generate_key(kind, parameters)


def kind_of(algorithm: str) -> str:
    """Return the kind of key that an algorithm takes."""
    return KIND_OF.get(algorithm) or KIND_OF[algorithm[:2]]


def claims_of(user: str, home: str, **more: Any) -> dict[str, Any]:
    """Return the claims of a good token; one that is None is left out, and a time is given as what lies between."""
    now = int(time.time())
    more = {name: now + one.total_seconds() if isinstance(one, timedelta) else one for name, one in more.items()}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, "sub": user, "district": home, **more}
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: Any, algorithm: str = "RS256", key: Any = None, **header: Any) -> str:
    """Return a token; `kid` in the header is the key's name unless it is given, and left out where it is None."""
    key = key or key_of(kind_of(algorithm))
    head = {"alg": algorithm, "kid": getattr(key, "kid", None), **header}
    head = {name: value for name, value in head.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 100_000
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(head, payload, key, [algorithm], registry)


def unsigned(claims: Any, **header: Any) -> str:
    """Return a token without a signature."""
    return ".".join([_packed({"alg": "none", **header}), _packed(claims), ""])


def shared(claims: Any, algorithm: str, secret: bytes, **header: Any) -> str:
    """Return a token signed with a secret that both sides know."""
    text = f"{_packed({'alg': algorithm, **header})}.{_packed(claims)}"
    signature = hmac.digest(secret, text.encode(), f"sha{algorithm[2:]}")
    return f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _packed(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class KeySet:
    """The page with the keys, as an ASGI application; `reply` stands in for it."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public(key_of(kind)) for kind in KINDS]
        self.read = 0
        self.reply: tuple[int, bytes] | None = None

    @property
    def body(self) -> bytes:
        """Return the page."""
        return json.dumps({"keys": self.keys}).encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        if scope["type"] != "http":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.read += 1
        status, body = self.reply or (200, self.body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": body})


def public(key: Key, **more: Any) -> dict[str, Any]:
    """Return what is published of a key; what is None is left out."""
    row = {**key.as_dict(private=False), **more}
    return {name: value for name, value in row.items() if value is not None}
