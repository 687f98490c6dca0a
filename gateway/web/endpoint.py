"""`/graphql`: GraphQL over HTTP by GET and POST, as a raw ASGI application."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from msgspec import UNSET
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gateway.access.source import Source
from gateway.access.trace import Trace
from gateway.clever.allowance import Allowance, out_of_time
from gateway.engine.accounts import account_of
from gateway.engine.answers import Answer, refusal
from gateway.engine.executor import Engine, Prepared, Refused
from gateway.engine.persisted import PersistedDocuments
from gateway.engine.responses import Kept, Responses, canonical
from gateway.engine.writing import CHUNK
from gateway.errors import INTERNAL, DeadlineExceeded, GatewayError, RequestRefused, Unauthenticated
from gateway.identity import EXPLAIN as MAY_EXPLAIN
from gateway.identity import REFRESH, Caller, Tenant
from gateway.loaders.handed import Handed
from gateway.schema.context import Context
from gateway.web.auth import Authenticator, PassThrough
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
from gateway.web.reach import Reach, reach_of

# Fields that are being read when the deadline passes still get their own coded errors; what does not even manage
# that within this time is cut off whole.
_GRACE_S = 5.0
# With the value `plan`, asks what was done upstream and why.
EXPLAIN = "x-clever-explain"


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """What one request may take: seconds, calls to Clever, rows, bytes of its body; what needs no token; whether it
    may ask what was done upstream; and whether students see their classmates' names. `audited`: an account is kept of
    what it was given.
    """

    deadline_s: float
    calls: int
    rows: int
    body_bytes: int
    public_introspection: bool
    explain: bool = False
    classmates: bool = False
    audited: bool = False


class GraphQLEndpoint:
    """Answers GraphQL requests; each gets loaders of its own."""

    def __init__(
        self,
        engine: Engine,
        source: Callable[[], Source],
        limits: EndpointLimits,
        on_internal: Callable[[Exception], None] = lambda _error: None,
        documents: PersistedDocuments | None = None,
        responses: Responses | None = None,
        authenticator: Authenticator | None = None,
        trace: Callable[[bool], Trace] = Trace,
    ) -> None:
        self._trace = trace
        self._authenticator = authenticator or PassThrough()
        self._engine = engine
        self._source = source
        self._persisted = PersistedDocuments(0) if documents is None else documents
        self._responses = Responses(0) if responses is None else responses
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
            status, body = await self._answer(scope, receive, headers, media_type, facts, more)
        except ClientGone:
            return
        except RequestRefused as error:
            status, body = error.status, refusal([error], error.public_code)
            if status == 405:
                more["allow"] = "GET, POST"
        except Unauthenticated as error:
            status, body = 401, refusal([error], error.code)
            more["www-authenticate"] = self._authenticator.challenge
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is masked and carries the usual headers
            self._on_internal(error)
            status, body = 500, refusal([error], INTERNAL)
        name_request(body, facts.request_id)
        facts.error_codes, facts.answered = body.codes, body.data is not UNSET
        await _send(send, status, media_type or JSON, body, more)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        headers: Headers,
        media_type: str,
        facts: RequestFacts,
        more: dict[str, str],
    ) -> tuple[int, Answer]:
        """Return status and body, and put headers into `more`.

        Raises RequestRefused, Unauthenticated and ClientGone.
        """
        caller = facts.caller = await self._authenticator.caller(headers)
        allowance = Allowance(self._limits.deadline_s, self._limits.calls, self._limits.rows)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                sent = await self._read(scope, receive, headers)
        except TimeoutError:
            problem = f"The request body did not arrive within {self._limits.deadline_s:g} s."
            raise RequestRefused(DeadlineExceeded.code, problem, status=408) from None
        if caller is None and not self._limits.public_introspection:
            raise self._authenticator.nobody()
        asking = _Asking(caller, allowance, headers, more, facts, by_get=scope["method"] == "GET")
        try:
            if (again := await self._again(asking, asking.name(sent))) is not None:
                return again
            asked = request_from_query_string(sent) if asking.by_get else request_from_body(sent)
            request = self._persisted.request(asked)
            name = canonical(request.query, request.operation_name, request.variables)
            if (again := await self._again(asking, asking.name(name))) is not None:
                return again
            if self._limits.audited:
                facts.account = account_of(request.query, self._persisted.trusted_name(request.query))
            prepared = self._engine.prepare(request)
            facts.operation = prepared.operation.named
            if facts.account:
                facts.account.operation = prepared.operation.node.operation.value
            self._persisted.register(asked)
            if caller is None and not prepared.only_introspects:
                raise self._authenticator.nobody()
            return await self._execute(prepared, asking, (asking.name(sent), asking.name(name)))
        except Refused as refused:
            return (400 if media_type == GRAPHQL_JSON else 200), refused.body
        finally:
            facts.upstream_calls = allowance.used

    async def _read(self, scope: Scope, receive: Receive, headers: Headers) -> bytes:
        """Return the query string of a GET, the body of a POST."""
        if scope["method"] == "GET":
            check_cross_site(headers)
            query_string: bytes = scope["query_string"]
            return query_string
        if scope["method"] != "POST":
            raise RequestRefused("BAD_USER_INPUT", "Use POST, or GET with the query in the URL.", status=405)
        # JSON is no type that a page may send without being asked about first: a POST needs no other check.
        check_content_type(headers)
        return await read_body(receive, headers, self._limits.body_bytes)

    def _explains(self, asking: "_Asking") -> bool:
        asked = asking.headers.get(EXPLAIN, "").strip().lower() == "plan"
        return asked and self._limits.explain and asking.may(MAY_EXPLAIN)

    async def _again(self, asking: "_Asking", name: Hashable) -> tuple[int, Answer] | None:
        """Give an answer again, if it is kept and the token may still read it."""
        source, tenant = self._source(), asking.tenant
        if tenant is None or self._explains(asking) or _wants_newer(asking):
            return None
        kept = self._responses.find(tenant, name, source.roster(tenant), source.clock())
        if kept is None:
            return None
        try:
            await source.check(tenant, asking.allowance)
        except GatewayError:
            # It is told field by field, as it is where nothing is kept.
            return None
        if not kept.evidence.stands(source.roster(tenant), source.clock()):
            # The token is shown less than before: the check has just forgotten what the answer was made from.
            return None
        asking.facts.operation, asking.facts.kept = kept.named, True
        asking.facts.account = kept.account
        cost = {
            "calls": asking.allowance.used,
            "cached": len(kept.evidence.entries),
            "remaining": source.client.calls_left(tenant),
        }
        answer = Answer(kept.data)
        if asking.caller and MAY_EXPLAIN in asking.caller.permissions:
            answer.extensions = {"clever": {"cost": cost}}
        return asking.tagged(kept, answer)

    async def _execute(self, prepared: Prepared, asking: "_Asking", names: tuple[Hashable, ...]) -> tuple[int, Answer]:
        if asking.caller is None:
            return await self._run(prepared, asking, None, names)
        trace = self._trace(self._explains(asking))
        reach = await reach_of(
            self._source(),
            asking.caller,
            asking.allowance,
            trace,
            refresh=_wants_newer(asking),
            classmates=self._limits.classmates,
            handed=Handed() if asking.facts.account else None,
        )
        try:
            return await self._run(prepared, asking, reach, names)
        finally:
            reach.access.close()

    async def _run(
        self, prepared: Prepared, asking: "_Asking", reach: Reach | None, names: tuple[Hashable, ...]
    ) -> tuple[int, Answer]:
        account = asking.facts.account
        context = Context(self._source().client.version, reach.loaders if reach else None, asking.allowance)
        try:
            async with asyncio.timeout(asking.allowance.seconds_left + _GRACE_S):
                answer = await self._engine.execute(prepared, context)
        except TimeoutError:
            error = out_of_time()
            return 504, refusal([error], error.code)
        if account and reach and reach.handed:
            account.records = reach.handed.counts()
        if reach is None or not reach.access.used:
            return 200, answer
        access = reach.access
        if report := reach.report():
            answer.extensions = {"clever": report}
        evidence = None if answer.errors or access.trace.on else access.evidence()
        named = prepared.operation.named
        kept = self._responses.keep(access.tenant, names, answer, evidence, account, named) if evidence else None
        return asking.tagged(kept, answer) if kept else (200, answer)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks, with what allowance, how, and the headers of the answer that are to be."""

    caller: Caller | None
    allowance: Allowance
    headers: Headers
    more: dict[str, str]
    facts: RequestFacts
    by_get: bool

    @property
    def tenant(self) -> Tenant | None:
        """Return the caller's tenant."""
        return self.caller.tenant if self.caller else None

    def name(self, request: Hashable) -> Hashable:
        """Return what names a request among those of its tenant: nobody is given what another viewer was."""
        return (self.caller.viewer, request) if self.caller and self.caller.viewer else request

    def may(self, permission: str) -> bool:
        """Say whether the caller may have a permission: of a person the roster tells, once it has been read."""
        return self.caller is not None and (self.caller.viewer is not None or permission in self.caller.permissions)

    def tagged(self, kept: Kept, answer: Answer) -> tuple[int, Answer]:
        """Return status and body of an answer that may be asked for again: a GET may ask whether it has changed.

        The tag is a weak one: it tells of the data, not of what this answer cost.
        """
        if not self.by_get:
            return 200, answer
        tag = f'W/"{kept.tag}"'
        self.more.update({"etag": tag, "cache-control": "private, no-cache", "vary": "Accept, Authorization, Cookie"})
        given = {one.strip().removeprefix("W/") for one in self.headers.get("if-none-match", "").split(",")}
        return (304 if f'"{kept.tag}"' in given else 200), answer


def _wants_newer(asking: _Asking) -> bool:
    return "no-cache" in asking.headers.get("cache-control", "").lower() and asking.may(REFRESH)


def name_request(body: Answer, request_id: str) -> None:
    """Put the request's id into errors whose cause is masked: operators find it in the log."""
    for error in body.errors or ():
        if error["extensions"]["code"] == INTERNAL:
            error["extensions"]["requestId"] = request_id


async def _send(send: Send, status: int, media_type: str, body: Answer, more: dict[str, str]) -> None:
    chunks = [b""] if status == 304 else body.chunks()
    size = sum(map(len, chunks))
    if size <= CHUNK:
        chunks = [b"".join(chunks)]
    headers = {
        "content-type": f"{media_type}; charset=utf-8",
        "content-length": str(size),
        # Children's records: nothing on the way may keep them.
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
        "vary": "Accept, Authorization",
        **more,
    }
    if status == 304:
        del headers["content-type"], headers["content-length"]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    for chunk in chunks[:-1]:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": chunks[-1]})
