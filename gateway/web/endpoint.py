"""`/graphql`: GraphQL over HTTP by GET and POST, as a raw ASGI application."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from starlette.types import Message, Receive, Scope, Send

from gateway.access.source import Source
from gateway.access.trace import Trace
from gateway.clever.allowance import Allowance, out_of_time
from gateway.engine.accounts import account_of
from gateway.engine.answers import Answer, refusal
from gateway.engine.begun import Begun
from gateway.engine.executor import Engine, Prepared, Refused
from gateway.engine.operations import Named
from gateway.engine.persisted import PersistedDocuments
from gateway.engine.responses import Kept, Responses, canonical
from gateway.errors import INTERNAL, DeadlineExceeded, GatewayError, RequestRefused, TryLater, Unauthenticated
from gateway.identity import EXPLAIN as SEES_PLANS
from gateway.identity import REFRESH, Caller, Tenant
from gateway.loaders.handed import Handed
from gateway.schema.context import Context
from gateway.web.admission import Admission, EndpointLimits
from gateway.web.auth import Authenticator, PassThrough
from gateway.web.csrf import check_cross_site
from gateway.web.facts import RequestFacts, facts_of
from gateway.web.headers import RequestHeaders
from gateway.web.heads import Head, Heads, check_json
from gateway.web.leaving import while_wanted
from gateway.web.negotiation import GRAPHQL_JSON, JSON
from gateway.web.parsing import (
    ClientGone,
    First,
    check_length,
    read_body,
    request_from_body,
    request_from_query_string,
    whole_body,
)
from gateway.web.reach import Reach, reach_of
from gateway.web.replies import Pair, Reply, reply, reply_of, send_reply, tagged

# Fields that are being read when the deadline passes still get their own coded errors; what does not even manage
# that within this time is cut off whole.
_GRACE_S = 5.0
_ALLOW = b"allow", b"GET, POST"


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
        admission: Admission | None = None,
        trace: Callable[[bool], Trace] = Trace,
    ) -> None:
        self._trace = trace
        admission = admission or Admission()
        self._turns, self._rates = admission.turns, admission.rates
        self._authenticator = authenticator or PassThrough()
        self.heads = Heads(self._authenticator)
        self._engine = engine
        self._source = source
        self._persisted = PersistedDocuments(0) if documents is None else documents
        self._responses = Responses(0) if responses is None else responses
        self._limits = limits
        self._on_internal = on_internal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        head, _ = self.heads.of(scope["headers"])
        facts = facts_of(scope)
        begun = self.begin(scope, head, receive, facts)
        given = begun if isinstance(begun, Reply) else await self.answer(scope, head, receive, facts, begun)
        if given is not None:
            await send_reply(send, given)

    def begin(self, scope: Scope, head: Head, receive: Receive, facts: RequestFacts) -> Reply | First:
        """Return the very answer that is kept of a request, if there is nothing to find out or to wait for first.

        Most requests end here, and do no more than it takes. Else returns what `answer` goes on with.
        """
        if not head.is_plain or scope["method"] != "POST" or self._rates is not None:
            return None
        first = Begun(receive())
        if not first.done:
            return first
        try:
            sent = whole_body(first.result, self._limits.body_bytes)
            if sent is None:
                return first
            given = self._at_once(head.caller, "POST", head, sent, facts)
        except Exception:  # noqa: BLE001 - whatever it is, `answer` meets it again, and knows what to say
            return first
        facts.caller = head.caller
        return sent if given is None else given

    async def answer(
        self, scope: Scope, head: Head, receive: Receive, facts: RequestFacts, first: First = None
    ) -> Reply | None:
        """Return the reply to one HTTP request, whose headers say what `head` does; None where the caller went away.

        `first`: the first part of its body, where that is being received; all of it where `begin` has looked for an
        answer that is kept.
        """
        media_type = head.media_type
        more: Sequence[Pair] = ()
        try:
            if media_type is None:
                raise RequestRefused("BAD_USER_INPUT", f"Accept `{GRAPHQL_JSON}` or `{JSON}`.", status=406)
            began = time.monotonic()
            caller = head.caller or await self._authenticator.caller(RequestHeaders(scope["headers"]))
            facts.caller = caller
            if self._rates is not None:
                self._rates.take(_who(caller, scope))
            if isinstance(first, bytes):
                sent, given = first, None
            else:
                first = first or self._received(scope, head, receive)
                sent = await self._whole(first, scope, receive) if first else scope["query_string"]
                given = self._at_once(caller, scope["method"], head, sent, facts)
            if given is None:
                asking = self._asking(caller, scope["method"], head, media_type, facts)
                given = await self._answer(asking, receive, sent, self._limits.deadline_s + began - time.monotonic())
        except ClientGone:
            return None
        except RequestRefused as error:
            status, body = error.status, refusal([error], error.public_code)
            if status == 405:
                more = (_ALLOW,)
            elif isinstance(error, TryLater):
                more = ((b"retry-after", b"%d" % error.retry_after),)
        except Unauthenticated as error:
            status, body = 401, refusal([error], error.code)
            more = ((b"www-authenticate", self._authenticator.challenge.encode()),)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is masked and carries the usual headers
            self._on_internal(error)
            status, body = 500, refusal([error], INTERNAL)
        else:
            facts.error_codes = given.codes
            return given
        name_request(body, facts.request_id)
        facts.error_codes = body.codes
        return reply_of(status, media_type or JSON, body, more)

    def _received(self, scope: Scope, head: Head, receive: Receive) -> Begun[Message] | None:
        """Begin to receive the body of a POST; return None for a GET, which has none."""
        if scope["method"] == "GET":
            check_cross_site(RequestHeaders(scope["headers"]))
            return None
        if scope["method"] != "POST":
            raise RequestRefused("BAD_USER_INPUT", "Use POST, or GET with the query in the URL.", status=405)
        # JSON is no type that a page may send without being asked about first: a POST needs no other check.
        if not head.json:
            check_json(RequestHeaders(scope["headers"]))
        if head.expects:
            # Who asks first whether to send the body is told no by an answer.
            self._check_length(scope)
        return Begun(receive())

    async def _whole(self, first: Begun[Message], scope: Scope, receive: Receive) -> bytes:
        """Return a body, received to its end."""
        if first.done and (whole := whole_body(first.result, self._limits.body_bytes)) is not None:
            return whole
        self._check_length(scope)
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await read_body(first, receive, self._limits.body_bytes)
        except TimeoutError:
            problem = f"The request body did not arrive within {self._limits.deadline_s:g} s."
            raise RequestRefused(DeadlineExceeded.code, problem, status=408) from None

    def _check_length(self, scope: Scope) -> None:
        check_length(RequestHeaders(scope["headers"]).table.get(b"content-length"), self._limits.body_bytes)

    def _at_once(
        self, caller: Caller | None, method: str, head: Head, sent: bytes, facts: RequestFacts
    ) -> Reply | None:
        """Return the very answer that is kept of these bytes, if there is nothing to find out first.

        It says the same as `_again`, which may ask Clever; this one is the path that most requests take.
        """
        if (
            caller is None
            or not self._responses
            or (head.explains and self._explains(caller))
            or (head.newer and _may(caller, REFRESH))
        ):
            return None
        source = self._source()
        now = source.clock()
        kept = self._responses.find(caller.tenant, _told_to(caller, sent), now)
        if kept is None or not source.trusts(caller.tenant, now):
            return None
        return self._given_again(kept, 0, source, method, head, facts)

    def _given_again(
        self, kept: Kept, calls: int, source: Source, method: str, head: Head, facts: RequestFacts
    ) -> Reply:
        facts.account, facts.answered = kept.account, True
        facts.operation, facts.kept = kept.named, True
        chunks = kept.body(calls, source.client.calls_left(kept.tenant) if kept.told else 0)
        if method == "GET":
            return tagged(kept.tag, head.known_tags, head.media_type or JSON, chunks)
        return reply(200, head.media_type or JSON, chunks)

    def _explains(self, caller: Caller | None) -> bool:
        return self._limits.explain and _may(caller, SEES_PLANS)

    def _asking(
        self, caller: Caller | None, method: str, head: Head, media_type: str, facts: RequestFacts
    ) -> "_Asking":
        if caller is None and not self._limits.public_introspection:
            raise self._authenticator.nobody()
        explains, newer = head.explains and self._explains(caller), head.newer and _may(caller, REFRESH)
        return _Asking(caller, method, head, media_type, explains, newer, facts)

    async def _answer(self, asking: "_Asking", receive: Receive, sent: bytes, seconds: float) -> Reply:
        """Find an answer, or work it out. Raises RequestRefused, Unauthenticated and ClientGone."""
        allowance = Allowance(seconds, self._limits.calls, self._limits.rows)
        try:
            work = Begun(self._work_out(asking, allowance, sent))
            if work.done:
                return work.result
            async with while_wanted(receive, allowance), asyncio.timeout(allowance.seconds_left + _GRACE_S):
                return await work
        except TimeoutError:
            error = out_of_time()
            return reply_of(504, asking.media_type, refusal([error], error.code))
        finally:
            asking.facts.upstream_calls = allowance.used

    def _kept(self, asking: "_Asking", name: Hashable) -> Kept | None:
        """Return the answer that is kept of a request, if it may be given again to one who asks like this."""
        caller = asking.caller
        if caller is None or not self._responses or asking.explains or asking.newer:
            return None
        return self._responses.find(caller.tenant, _told_to(caller, name), self._source().clock())

    async def _again(self, asking: "_Asking", allowance: Allowance, kept: Kept) -> Reply | None:
        """Give an answer again, if the token may still read it."""
        source = self._source()
        try:
            await source.check(kept.tenant, allowance)
        except GatewayError:
            # It is told field by field, as it is where nothing is kept.
            return None
        if not kept.evidence.stands(source.clock()):
            # The token is shown less than before: the check has just forgotten what the answer was made from.
            return None
        return self._given_again(kept, allowance.used, source, asking.method, asking.head, asking.facts)

    async def _work_out(self, asking: "_Asking", allowance: Allowance, sent: bytes) -> Reply:
        try:
            kept = self._kept(asking, sent)
            if kept is not None and (again := await self._again(asking, allowance, kept)) is not None:
                return again
            asked = request_from_query_string(sent) if asking.by_get else request_from_body(sent)
            if asked.query is None:
                await self._persisted.recall(asked)
            request = self._persisted.request(asked)
            names: tuple[Hashable, ...] = ()
            if self._responses.capacity:
                names = sent, canonical(request.query, request.operation_name, request.variables)
                kept = self._kept(asking, names[1])
                if kept is not None and (again := await self._again(asking, allowance, kept)) is not None:
                    return again
            if self._limits.audited:
                asking.facts.account = account_of(request.query, self._persisted.trusted_name(request.query))
            prepared = self._engine.prepare(request)
            asking.facts.operation = prepared.operation.named
            if asking.facts.account:
                asking.facts.account.operation = prepared.operation.node.operation.value
            self._persisted.register(asked)
            if asking.caller is None and not prepared.only_introspects:
                raise self._authenticator.nobody()
            return await self._execute(prepared, asking, allowance, names)
        except Refused as refused:
            return reply_of(400 if asking.media_type == GRAPHQL_JSON else 200, asking.media_type, refused.body)

    async def _execute(
        self, prepared: Prepared, asking: "_Asking", allowance: Allowance, names: tuple[Hashable, ...]
    ) -> Reply:
        """Execute in turn with others. Raises TryLater, and Refused where it would make too many calls."""
        await self._turns.take(asking.tenant, allowance.seconds_left)
        try:
            return await self._run(prepared, asking, allowance, names)
        finally:
            self._turns.give_back()

    async def _run(
        self, prepared: Prepared, asking: "_Asking", allowance: Allowance, names: tuple[Hashable, ...]
    ) -> Reply:
        source, caller = self._source(), asking.caller
        if caller is None:
            answer = await self._engine.execute(prepared, Context(source.client.version, None, allowance))
            return self._executed(answer, asking)
        reach = await reach_of(
            source,
            caller,
            allowance,
            self._trace(asking.explains),
            refresh=asking.newer,
            classmates=self._limits.classmates,
            handed=Handed() if asking.facts.account else None,
        )
        try:
            answer = await self._engine.execute(prepared, Context(source.client.version, reach.loaders, allowance))
            if asking.facts.account and reach.handed:
                asking.facts.account.records = reach.handed.counts()
            if reach.access.used:
                return self._finish(answer, asking, reach, [_told_to(caller, name) for name in names])
        finally:
            reach.close()
        return self._executed(answer, asking)

    def _executed(self, answer: Answer, asking: "_Asking") -> Reply:
        asking.facts.answered = answer.data is not UNSET
        name_request(answer, asking.facts.request_id)
        return reply_of(200, asking.media_type, answer)

    def _finish(self, answer: Answer, asking: "_Asking", reach: Reach, names: Sequence[Hashable]) -> Reply:
        """Return the reply with an answer made from data, and keep it where that is worth it."""
        access = reach.access
        if report := reach.report():
            answer.extensions = {"clever": report}
        evidence = access.evidence() if names and not answer.errors and not access.trace.on else None
        kept = None
        if evidence:
            told, account = reach.tells_costs, asking.facts.account
            named = asking.facts.operation or Named()
            now = self._source().clock()
            kept = self._responses.keep(
                access.tenant, names, answer, evidence, now, told=told, account=account, named=named
            )
        if kept is None or not asking.by_get:
            return self._executed(answer, asking)
        asking.facts.answered = True
        return tagged(kept.tag, asking.head.known_tags, asking.media_type, answer.chunks())


@dataclass(slots=True)
class _Asking:
    """Who asks and how: by which method, in which media type, for the plan too, for data that is not remembered."""

    caller: Caller | None
    method: str
    head: Head
    media_type: str
    explains: bool
    newer: bool
    facts: RequestFacts

    @property
    def by_get(self) -> bool:
        """Say whether the request stands in the URL."""
        return self.method == "GET"

    @property
    def tenant(self) -> Tenant | None:
        """Return the caller's tenant."""
        return self.caller.tenant if self.caller else None


def _who(caller: Caller | None, scope: Scope) -> Hashable:
    """Return what stands for a caller, who shares a limit with nobody else: one unknown is told by the address."""
    if caller is None:
        client = scope.get("client")
        return client[0] if client else None
    return caller.tenant.key, caller.viewer


def _told_to(caller: Caller, name: Hashable) -> Hashable:
    """Return what names a request of this caller: each is told what this one may see, and may know of the cost."""
    if caller.viewer is None and SEES_PLANS in caller.permissions:
        return name
    return caller.viewer, caller.permissions, name


def _may(caller: Caller | None, permission: str) -> bool:
    """Say whether a caller may have a permission: of a person the roster tells, once it has been read."""
    return caller is not None and (caller.viewer is not None or permission in caller.permissions)


def name_request(body: Answer, request_id: str) -> None:
    """Put the request's id into errors whose cause is masked: operators find it in the log."""
    for error in body.errors or ():
        if error["extensions"]["code"] == INTERNAL:
            error["extensions"]["requestId"] = request_id
