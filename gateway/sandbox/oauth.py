"""The pages of clever.com that an app reads with its own credentials: the token list and the token's scopes.

Clever's docs: oauth-implementation. No rate limit and no rate headers here; errors have OAuth's shape.
"""

from base64 import b64decode
from binascii import Error as NotBase64Error
from collections.abc import Mapping
from urllib.parse import parse_qs

from .answers import Answer, json, no_route
from .ids import timestamp
from .tokens import Grant, Kind, bearer

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - public on purpose: it opens nothing but this sandbox
SCOPES = (
    "read:district_admins",
    "read:districts",
    "read:resources",
    "read:school_admins",
    "read:schools",
    "read:sections",
    "read:student_contacts",
    "read:students",
    "read:teachers",
    "read:user_id",
)
CONNECTED = 1_655_000_000_000


def answer(path: str, raw_query: str, method: str, asked: Mapping[bytes, bytes], grants: Mapping[str, Grant]) -> Answer:
    """Answer a call below `/oauth`."""
    if method == "GET" and path == "/oauth/tokens":
        return _tokens(raw_query, asked.get(b"authorization", b""), grants)
    if method == "GET" and path == "/oauth/tokeninfo":
        token = bearer(asked.get(b"authorization"))
        if token is None or token not in grants:
            return refused(401, "invalid_token", "OAuth2 token is incorrect or has expired")
        return json(200, {"client_id": CLIENT_ID, "scopes": _scopes(grants[token])})
    return no_route(method, path)


def _scopes(grant: Grant) -> tuple[str, ...]:
    if grant.kind is Kind.USER:
        return ("read:user_id",)
    return SCOPES if grant.kind is Kind.DISTRICT else ("read:districts",)


def refused(status: int, error: str, description: str) -> Answer:
    """Answer with an error in OAuth's shape."""
    return json(status, {"error": error, "error_description": description})


def _tokens(raw_query: str, authorization: bytes, grants: Mapping[str, Grant]) -> Answer:
    if not is_ours(authorization):
        return refused(401, "invalid_client", "Client id or secret is wrong")
    try:
        query = parse_qs(raw_query, max_num_fields=50)
    except ValueError:
        return refused(400, "invalid_request", "Too many parameters")
    if query.get("owner_type", ["district"]) != ["district"]:
        return refused(400, "invalid_request", "owner_type must be district")
    wanted = query.get("district")
    rows = [
        {
            "id": f"{int(grant.world.id, 16) ^ 0xFFFF:024x}",
            "created": timestamp(CONNECTED + 86_400_321 * (number * 5 % 7 + 7 * grant.generation)),
            "owner": {"type": "district", "id": grant.world.id},
            "access_token": grant.token,
            "scopes": SCOPES,
        }
        for number, grant in enumerate(g for g in grants.values() if g.kind is Kind.DISTRICT)
        if wanted is None or grant.world.id in wanted
    ]
    own = f"/oauth/tokens?{raw_query}" if raw_query else "/oauth/tokens"
    # Clever lists them neither by id nor by date.
    return json(200, {"data": rows[1:] + rows[:1], "links": [{"rel": "self", "uri": own}]})


def is_ours(authorization: bytes) -> bool:
    """Tell whether an `Authorization` header holds the app's id and secret."""
    if authorization[:6].lower() != b"basic ":
        return False
    try:
        given = b64decode(authorization[6:].strip(), validate=True)
    except NotBase64Error:
        return False
    return given == f"{CLIENT_ID}:{CLIENT_SECRET}".encode()
