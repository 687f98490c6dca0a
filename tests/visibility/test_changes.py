"""Who sees what follows the roster: circles are those of the data at hand, and end with it and with the token."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.sandbox import SandboxApp
from gateway.sandbox import create_app as create_sandbox
from tests.conftest import Answer, Gateway, Upstream
from tests.servers import running
from tests.visibility.conftest import WAYS, People, district_of, gateway_for_people
from tests.visibility.oracle import Visible

Record = dict[str, Any]


class Changing:
    """A sandbox in which a teacher may leave a section, and districts be hidden: then a token is shown less."""

    def __init__(self, app: SandboxApp) -> None:
        self._app = app
        self.left: tuple[str, str] | None = None
        self.hidden = False

    def leave(self, teacher: str, section: str) -> None:
        """Take a teacher out of a section."""
        self.left = teacher, section

    def records(self, token: str) -> Mapping[str, Mapping[str, Record]]:
        """Return a district's records as they are now."""
        found = self._app.records(token)
        for section in found["sections"].values():
            self._edit(section)
        return found

    def unshared(self, token: str) -> Mapping[str, Mapping[str, Record]]:
        """Return the records others refer to but the app may not see."""
        return self._app.unshared(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v3.1/"):
            await self._app(scope, receive, send)
            return
        sent: list[Message] = []

        async def hold(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, hold)
        status, body = sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
        kind = b"application/json"
        if self.hidden and scope["path"] == "/v3.1/districts":
            status, kind, body = 404, b"text/html", b"<!DOCTYPE html><pre>Cannot GET that</pre>"
        elif status == 200:
            body = self._edited(scope["path"].removeprefix("/v3.1"), body)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _edited(self, path: str, body: bytes) -> bytes:
        answer = msgspec.json.decode(body)
        data = answer.get("data")
        if self.left is None or data is None:
            return body
        teacher, section = self.left
        if isinstance(data, list):
            gone = {f"/users/{teacher}/sections": section, f"/sections/{section}/users": teacher}.get(path)
            answer["data"] = [element for element in data if element["data"]["id"] != gone]
        for element in answer["data"] if isinstance(data, list) else [answer]:
            self._edit(element["data"])
        return msgspec.json.encode(answer)

    def _edit(self, record: Record) -> None:
        if self.left is not None and record["id"] == self.left[1]:
            teachers = record["teachers"] = [one for one in record["teachers"] if one != self.left[0]]
            record["teacher"] = teachers[0] if teachers else None


@pytest.fixture
def changing() -> Iterator[tuple[Changing, Upstream]]:
    """Serve a sandbox that can change."""
    app = Changing(create_sandbox("tiny", rate_limit=None))
    with running(app) as origin:
        yield app, Upstream(origin, app)  # type: ignore[arg-type]


class Asker:
    """Asks for all that somebody sees, each time in a document of its own, so that no kept answer is given."""

    def __init__(self, people: People, section: str) -> None:
        self._people = people
        self._section = section
        self._asked = 0

    async def ask(self, person: str) -> Answer:
        """Ask as a person."""
        self._asked += 1
        document = (
            f"query Number{self._asked} {{ sections(first: 1000) {{ nodes {{ cleverId }} }} "
            f'users(first: 10000) {{ totalCount nodes {{ cleverId }} }} section(id: "{self._section}") {{ cleverId }} }}'
        )
        return await self._people.ask(person, document)

    def seen(self, visible: Visible) -> dict[str, Any]:
        """Return what the answer must be."""
        users = sorted(visible.users)
        return {
            "sections": {"nodes": [{"cleverId": key} for key in sorted(visible.sections)]},
            "users": {"totalCount": len(users), "nodes": [{"cleverId": key} for key in users]},
            "section": {"cleverId": self._section} if self._section in visible.sections else None,
        }


def teacher_and_section(upstream: Upstream) -> tuple[str, str]:
    """Return a teacher and one of several sections of theirs in which somebody studies whom they see nowhere else."""
    joins = upstream.oracle()
    for teacher, user in joins.users.items():
        own = joins.user_sections(teacher) if set(user["roles"]) == {"teacher"} else []
        for section in own if len(own) > 1 else ():
            others = {one for key in own if key != section for one in joins.sections[key]["students"]}
            if set(joins.sections[section]["students"]) & joins.users.keys() - others:
                return teacher, section
    raise AssertionError("the district has no such teacher")


@pytest.mark.parametrize("way", WAYS)
async def test_a_teacher_who_has_left_a_section_sees_it_no_more_once_it_is_read_anew(
    way: str, changing: tuple[Changing, Upstream], keys: str
) -> None:
    app, upstream = changing
    teacher, section = teacher_and_section(upstream)
    before = Visible(upstream, teacher)
    with gateway_for_people(upstream, keys, engine=way, ttl_users=0, ttl_sections=0, ttl_others=0) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
            asker = Asker(People(Gateway(origin, upstream, http), district_of(upstream)), section)
            for _ in range(2):
                assert (await asker.ask(teacher)).data == asker.seen(before)
            app.leave(teacher, section)
            after = Visible(upstream, teacher)
            for _ in range(2):
                assert (await asker.ask(teacher)).data == asker.seen(after)
    assert section in before.sections.keys() - after.sections.keys()
    assert set(after.users) < set(before.users)


async def test_while_nothing_is_due_each_is_shown_their_own_for_no_call(
    changing: tuple[Changing, Upstream], keys: str
) -> None:
    app, upstream = changing
    teacher, section = teacher_and_section(upstream)
    joins = upstream.oracle()
    student = next(one for one in joins.sections[section]["students"] if one in joins.users)
    others = [key for key, user in joins.users.items() if set(user["roles"]) == {"teacher"} and key != teacher]
    known = {person: Visible(upstream, person) for person in (teacher, student, others[0])}
    with gateway_for_people(upstream, keys) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
            asker = Asker(People(Gateway(origin, upstream, http), district_of(upstream)), section)
            for person, visible in known.items():
                assert (await asker.ask(person)).data == asker.seen(visible)
            app.leave(teacher, section)
            for _ in range(2):
                for person, visible in known.items():
                    again = await asker.ask(person)
                    assert (again.data, again.calls) == (asker.seen(visible), {})


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_known_is_forgotten_with_the_token(
    way: str, changing: tuple[Changing, Upstream], keys: str
) -> None:
    app, upstream = changing
    teacher, section = teacher_and_section(upstream)
    before = Visible(upstream, teacher)
    with gateway_for_people(upstream, keys, engine=way, token_recheck=1e-6) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
            asker = Asker(People(Gateway(origin, upstream, http), district_of(upstream)), section)
            for _ in range(2):
                assert (await asker.ask(teacher)).data == asker.seen(before)
            app.leave(teacher, section)
            assert (await asker.ask(teacher)).data == asker.seen(before)
            app.hidden = True
            after = await asker.ask(teacher)
    assert after.data == asker.seen(Visible(upstream, teacher)) != asker.seen(before)
    assert {"/districts", "/users/{id}"} <= after.calls.keys()
