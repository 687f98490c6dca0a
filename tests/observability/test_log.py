"""The log: one JSON object a line, whatever is logged, and of the levels that were set."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys

import msgspec
import pytest

from gateway.clever.events import CallSent
from gateway.observability.log import configure_logging, log_call, log_internal, log_request, log_untrusted
from gateway.observability.shape import Format, formatter, is_json
from gateway.web.facts import current_request_id
from gateway.web.middleware import RequestDone
from tests.observability.lines import logged

CALL = CallSent("/users/{id}", 200, 0.0125, 512, 1, "look-up")
REQUEST = RequestDone("an-id", "POST", "/graphql", 200, 0.25, 3, ("BAD_USER_INPUT",))


def test_a_request_and_a_call_are_each_a_line_of_their_own_fields() -> None:
    with logged("debug") as log:
        log_request(REQUEST)
        log_call(CALL)

    request, call = ({name: value for name, value in line.items() if name != "time"} for line in log.lines)
    assert request == {
        "level": "info",
        "event": "request",
        "request_id": "an-id",
        "method": "POST",
        "route": "/graphql",
        "status": 200,
        "ms": 250.0,
        "upstream_calls": 3,
        "error_codes": ["BAD_USER_INPUT"],
    }
    assert call == {
        "level": "debug",
        "event": "upstream call",
        "call": "/users/{id}",
        "status": 200,
        "ms": 12.5,
        "bytes": 512,
        "attempt": 1,
    }


async def test_lines_of_requests_are_written_together_and_soon() -> None:
    written: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return super().write(text)

    with logged() as log:
        configure_logging("info", Stream())
        for number in range(3):
            log_request(msgspec.structs.replace(REQUEST, request_id=f"id-{number}"))
        assert written == []
        while not written:  # noqa: ASYNC110 - the loop itself writes, a moment later
            await asyncio.sleep(0.001)
        configure_logging("info", log.stream)

    (text,) = written
    assert [json.loads(line)["request_id"] for line in text.splitlines()] == ["id-0", "id-1", "id-2"]


async def test_other_lines_come_behind_those_that_wait() -> None:
    with logged() as log:
        log_request(REQUEST)
        log_untrusted("a" * 64)
        log_request(REQUEST)

    assert [line["event"] for line in log.lines] == ["request", "untrusted document", "request"]


def test_a_loop_that_ended_does_not_keep_lines_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def one() -> None:
        log_request(REQUEST)

    with logged() as log:
        for moment in (4e9, 5e9):
            monkeypatch.setattr("gateway.observability.log.time.time", lambda moment=moment: moment)
            asyncio.run(one())
        assert log.stream.getvalue() == ""
        monkeypatch.setattr("gateway.observability.log.time.time", lambda: 6e9)
        log_request(REQUEST)
        assert log.stream.getvalue().count("\n") == 3


def test_nothing_that_waits_is_lost_when_the_process_ends() -> None:
    code = (
        "import asyncio\n"
        "from gateway.observability.log import configure_logging, log_request\n"
        "from gateway.web.middleware import RequestDone\n"
        "configure_logging('info')\n"
        "async def one(): log_request(RequestDone('an-id', 'POST', '/graphql', 200, 0.25, 3, ()))\n"
        "asyncio.run(one())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stderr)["request_id"] == "an-id"


def test_a_line_of_a_request_is_what_any_line_is() -> None:
    with logged() as log:
        log_request(REQUEST)
        plain = logging.StreamHandler(log.stream)
        plain.setFormatter(formatter(as_json=True))
        logging.getLogger("gateway").handlers = [plain]
        log_request(REQUEST)

    one, other = log.text.splitlines()
    assert re.sub(r'"time":"[^"]{24}"', "", one) == re.sub(r'"time":"[^"]{24}"', "", other)


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["upstream call", "request", "internal error"]),
        ("info", ["request", "internal error"]),
        ("warning", ["internal error"]),
        ("error", ["internal error"]),
    ],
)
def test_what_is_below_the_level_is_left_out(level: str, events: list[str]) -> None:
    with logged(level) as log:
        log_call(CALL)
        log_request(REQUEST)
        log_internal(ValueError("an error"))

    assert [line["event"] for line in log.lines] == events


def test_an_unexpected_error_is_its_type_and_places_and_not_its_message() -> None:
    def fail() -> None:
        raise KeyError("Ada Lovelace")

    with logged() as log:
        try:
            fail()
        except KeyError as error:
            log_internal(error)

    (line,) = log.lines
    assert line["type"] == "KeyError"
    assert [place.rpartition(":")[0] for place in line["at"]] == [__file__, __file__]
    assert "Ada" not in log.text


def test_lines_of_the_server_are_json_too_and_keep_to_one_line() -> None:
    with logged() as log:
        logging.getLogger("uvicorn.error").info("two\nlines of %s", '"quotes"')

    (line,) = log.lines
    assert line["event"] == 'two\nlines of "quotes"'


def test_the_addresses_of_calls_stay_out_even_at_the_lowest_level() -> None:
    with logged("debug"):
        assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)


@pytest.mark.parametrize(("form", "is_json"), [("auto", True), ("json", True), ("pretty", False)])
def test_lines_are_json_but_for_people(form: Format, is_json: bool) -> None:
    with logged("debug", form) as log:
        log_request(REQUEST)
        log_call(CALL)
        log_internal(ValueError("an error"))
        logging.getLogger("uvicorn.error").info("started")
    written = log.text.splitlines()

    assert len(written) == 4
    assert all(line.startswith("{") is is_json for line in written)
    for word in ("request", "upstream call", "internal error", "started", "/users/{id}", "BAD_USER_INPUT"):
        assert word in log.text


def test_at_a_terminal_they_are_for_people() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert not is_json("auto", Terminal())
    assert is_json("json", Terminal())
    assert is_json("auto", io.StringIO())


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_an_exception_that_the_server_logs_loses_its_message_and_its_places(form: Format) -> None:
    with logged("debug", form) as log:
        try:
            raise ValueError("Ada Lovelace")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("it failed")

    assert "it failed" in log.text
    assert "Ada" not in log.text
    assert "Traceback" not in log.text


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_a_line_names_the_request_that_it_is_about(form: Format) -> None:
    before = current_request_id.set("the-request")
    try:
        with logged("debug", form) as log:
            log_call(CALL)
            log_untrusted("0" * 64)
    finally:
        current_request_id.reset(before)

    assert all("the-request" in line for line in log.text.splitlines())


def test_fields_come_with_records_of_the_standard_library_too() -> None:
    with logged() as log:
        logging.getLogger("gateway.elsewhere").warning("something", extra={"fields": {"reason": "full"}})

    (line,) = log.lines
    assert (line["event"], line["reason"]) == ("something", "full")
