"""`/graphql`: GraphQL over HTTP by GET and POST, as a raw ASGI application."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.trace import Trace
from gateway.clever.allowance import Allowance, out_of_time
from gateway.engine.answers import Answer, refusal
from gateway.engine.executor import Engine, Prepared, Refused
from gateway.engine.persisted import Asked, PersistedDocuments
from gateway.errors import INTERNAL, DeadlineExceeded, RequestRefused, Unauthenticated
from gateway.identity import Tenant
from gateway.loaders import Loaders
from gateway.schema.context import Context
from gateway.web.auth import CHALLENGE, no_token, tenant_of
from gateway.web.csrf import check_cross_site
from gateway.web.facts import RequestFacts, facts_of
from gateway.web.negotiation import GRAPHQL_JSON, JSON, choose_media_type
from gateway.web.parsing import (
    ClientGone,
    check_content_type,
    read_body,
    request_from_body,
    request_from_query_string,
)

# Fields that are being read when the deadline passes still get their own coded errors; what does not even manage
# that within this time is cut off whole.
_GRACE_S = 5.0
# With the value `plan`, asks what was done upstream and why.
EXPLAIN = "x-clever-explain"


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """What one request may take: seconds, calls to Clever, rows, bytes of its body; what needs no token; and whether
    it may ask what was done upstream.
    """

    deadline_s: float
    calls: int
    rows: int
    body_bytes: int
    public_introspection: bool
    explain: bool = False


class GraphQLEndpoint:
    """Answers GraphQL requests; each gets loaders of its own."""

    def __init__(
        self,
        engine: Engine,
        source: Callable[[], Source],
        limits: EndpointLimits,
        on_internal: Callable[[Exception], None] = lambda _error: None,
        documents: PersistedDocuments | None = None,
    ) -> None:
        self._engine = engine
        self._source = source
        self._persisted = documents or PersistedDocuments(0)
        self._limits = limits
        self._on_internal = on_internal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = Headers(scope=scope)
        facts = facts_of(scope)
        media_type = choose_media_type(",".join(headers.getlist("accept")))
        more: dict[str, str] = {}
        try:
            if media_type is None:
                raise RequestRefused("BAD_USER_INPUT", f"Accept `{GRAPHQL_JSON}` or `{JSON}`.", status=406)
            status, body = await self._answer(scope, receive, headers, media_type, facts)
        except ClientGone:
            return
        except RequestRefused as error:
            status, body = error.status, refusal([error], error.public_code)
            if status == 405:
                more["allow"] = "GET, POST"
        except Unauthenticated as error:
            status, body = 401, refusal([error], error.code)
            more["www-authenticate"] = CHALLENGE
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is masked and carries the usual headers
            self._on_internal(error)
            status, body = 500, refusal([error], INTERNAL)
        name_request(body, facts.request_id)
        facts.error_codes = body.codes
        await _send(send, status, media_type or JSON, body, more)

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Headers, media_type: str, facts: RequestFacts
    ) -> tuple[int, Answer]:
        """Return status and body. Raises RequestRefused, Unauthenticated and ClientGone."""
        tenant = tenant_of(headers)
        allowance = Allowance(self._limits.deadline_s, self._limits.calls, self._limits.rows)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                asked = await self._read(scope, receive, headers)
        except TimeoutError:
            problem = f"The request body did not arrive within {self._limits.deadline_s:g} s."
            raise RequestRefused(DeadlineExceeded.code, problem, status=408) from None
        if tenant is None and not self._limits.public_introspection:
            raise no_token()
        try:
            prepared = self._engine.prepare(self._persisted.request(asked))
        except Refused as refused:
            return (400 if media_type == GRAPHQL_JSON else 200), refused.body
        self._persisted.register(asked)
        if tenant is None and not prepared.only_introspects:
            raise no_token()
        try:
            return await self._execute(prepared, tenant, allowance, headers)
        finally:
            facts.upstream_calls = allowance.used

    async def _read(self, scope: Scope, receive: Receive, headers: Headers) -> Asked:
        if scope["method"] == "GET":
            check_cross_site(headers)
            return request_from_query_string(scope["query_string"])
        if scope["method"] != "POST":
            raise RequestRefused("BAD_USER_INPUT", "Use POST, or GET with the query in the URL.", status=405)
        # JSON is no type that a page may send without being asked about first: a POST needs no other check.
        check_content_type(headers)
        return request_from_body(await read_body(receive, headers, self._limits.body_bytes))

    async def _execute(
        self, prepared: Prepared, tenant: Tenant | None, allowance: Allowance, headers: Headers
    ) -> tuple[int, Answer]:
        source = self._source()
        access = self._access(source, tenant, allowance, headers) if tenant else None
        loaders = Loaders(access) if access else None
        try:
            async with asyncio.timeout(allowance.seconds_left + _GRACE_S):
                answer = await self._engine.execute(prepared, Context(source.client.version, loaders, allowance))
        except TimeoutError:
            error = out_of_time()
            return 504, refusal([error], error.code)
        if access is not None and access.used:
            answer.extensions = {"clever": access.report()}
        return 200, answer

    def _access(self, source: Source, tenant: Tenant, allowance: Allowance, headers: Headers) -> Access:
        return Access(
            source,
            tenant,
            allowance,
            refresh="no-cache" in headers.get("cache-control", "").lower(),
            trace=Trace(on=self._limits.explain and headers.get(EXPLAIN, "").strip().lower() == "plan"),
        )


def name_request(body: Answer, request_id: str) -> None:
    """Put the request's id into errors whose cause is masked: operators find it in the log."""
    for error in body.errors or ():
        if error["extensions"]["code"] == INTERNAL:
            error["extensions"]["requestId"] = request_id


async def _send(send: Send, status: int, media_type: str, body: Answer, more: dict[str, str]) -> None:
    chunks = body.chunks()
    headers = {
        "content-type": f"{media_type}; charset=utf-8",
        "content-length": str(sum(map(len, chunks))),
        # Children's records: nothing on the way may keep them.
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Authorization",
        **more,
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    for chunk in chunks[:-1]:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": chunks[-1]})
