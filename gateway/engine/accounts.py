"""Accounts: what the audit log tells of an operation, kept with its answer where that is given again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(slots=True)
class Account:
    """A document's SHA-256, and its id where it is a trusted one; once known, the type of the operation that was run.

    `records`: how many distinct records of each kind were handed out.
    """

    document: str
    trusted: str | None = None
    operation: str | None = None
    records: Mapping[str, int] = field(default_factory=dict)


def account_of(text: str, trusted: str | None) -> Account:
    """Return the account of a document that has not run."""
    return Account(sha256(text.encode()).hexdigest(), trusted)
