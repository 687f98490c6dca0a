"""The audit log: a JSON line for each GraphQL request, of who was given how much of what. It holds no value.

People, and tokens of Clever's, stand in it under pseudonyms; districts and API keys under their own names.
"""

import hmac
import logging
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from gateway.identity import Caller
from gateway.web.facts import RequestFacts
from gateway.web.middleware import RequestDone

STDOUT = "stdout"

_log = logging.getLogger("gateway")


class AuditLog:
    """Appends a line for each request to a file, or writes it to stdout.

    `key` is what pseudonyms are made under; without one they change with each start. A file that was moved away is
    begun anew. A line that cannot be written is logged, the first of a row, and costs the request nothing.
    Raises OSError where the file cannot be opened.
    """

    def __init__(self, target: str, key: str | None = None) -> None:
        self._path = None if target == STDOUT else Path(target)
        self._key = key.encode() if key else secrets.token_bytes(32)
        self._file: int | None = None
        self._place: tuple[int, int] | None = None
        self._failing = False
        # Whether the last line was cut off.
        self._torn = False
        self._to_reopen = False
        if self._path is not None:
            self._open(self._path)

    def on_request(self, done: RequestDone) -> None:
        """Write the line of a request, if it is one for GraphQL."""
        if done.route == "/graphql" and done.method in ("GET", "POST"):
            self._write(msgspec.json.encode(self._line(done)) + b"\n")

    @contextmanager
    def reopened_on_hangup(self) -> Iterator[None]:
        """Reopen the file on SIGHUP, as rotation tells one to, where signals can be heard."""
        before: Any = None
        if sys.platform != "win32" and self._path is not None:
            # In another thread than the first no signal can be heard.
            with suppress(ValueError):
                before = signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            if before is not None:
                signal.signal(signal.SIGHUP, before)
            self.close()

    def _on_hangup(self, _signal: int, _frame: Any) -> None:
        # Whatever it interrupts may be writing.
        self._to_reopen = True

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _line(self, done: RequestDone) -> dict[str, Any]:
        facts = done.facts
        account = facts.account
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {
            "time": now.replace("+00:00", "Z"),
            "request_id": done.request_id,
            **self._named(facts.caller),
            "operation": account.operation if account else None,
            "document": account.document if account else None,
            "trusted_document": account.trusted if account else None,
            "records": account.records if account and facts.answered else {},
            "decision": _decision(done, facts),
            "status": done.status,
        }

    def _named(self, caller: Caller | None) -> dict[str, Any]:
        if caller is None:
            return {"who": None, "kind": "nobody", "district": None}
        named: dict[str, Any] = {"district": caller.tenant.district}
        if caller.viewer is not None:
            return {"who": self._pseudonym(f"user:{caller.viewer.user_id}"), "kind": "viewer", **named}
        if caller.api_key is not None:
            return {"who": caller.api_key, "kind": "api_key", **named}
        return {"who": caller.tenant.pseudonym(self._key), "kind": "token", **named}

    def _pseudonym(self, name: str) -> str:
        return hmac.digest(self._key, name.encode(), sha256).hex()[:16]

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._opened(), b"\n" + line if self._torn else line)
            self._torn = written < len(line)
        except (OSError, ValueError) as error:
            self._fail(getattr(error, "strerror", None) or type(error).__name__)
        else:
            if self._torn:
                self._fail("no space is left")
            else:
                self._failing = False

    def _fail(self, reason: str) -> None:
        if not self._failing:
            self._failing = True
            _log.error("audit log cannot be written", extra={"fields": {"reason": reason}})

    def _opened(self) -> int:
        if self._path is None:
            return sys.stdout.fileno()
        if self._file is not None:
            with suppress(FileNotFoundError):
                found = self._path.stat()
                if (found.st_dev, found.st_ino) == self._place and not self._to_reopen:
                    return self._file
            # It was moved away: what comes now belongs to the one that takes its place.
            self._to_reopen = False
            self.close()
        return self._open(self._path)

    def _open(self, path: Path) -> int:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        opened = os.fstat(file)
        self._file, self._place = file, (opened.st_dev, opened.st_ino)
        return file


def _decision(done: RequestDone, facts: RequestFacts) -> str:
    """Say what became of a request: answered, with so many fields that were forbidden, or refused and why."""
    if not done.status:
        return "abandoned"
    if not facts.answered:
        return f"refused:{done.error_codes[0]}" if done.error_codes else "refused"
    forbidden = facts.error_codes.count("FORBIDDEN")
    return f"forbidden:{forbidden}" if forbidden else "answered"
