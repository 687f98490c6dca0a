"""Faults on demand: which calls they strike. What each of them does to an answer is in `misbehaviour.py`.

A rule names one fault, or several joined by `+` of which each call it strikes gets one. The same rules and the same
calls in the same order give the same faults.
"""

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from .misbehaviour import KINDS, Fault, Orders
from .routes import ROUTES

# Every fault that another try may get over and that does not falsify records.
PASSING = tuple(name for name, kind in KINDS.items() if kind.passes)
MIXED = "mixed"
_MOST_RULES = 50
_TEMPLATES = {route.template for route in ROUTES} | {"/me"}


class FaultError(ValueError):
    """A rule that makes no sense; the message says why, and what would."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule, as the console takes it."""

    fault: str
    """A fault, several joined by `+`, or `mixed` for all that another try may get over."""
    rate: float = 1.0
    """Share of the calls that are struck, 0 to 1."""
    path: str | None = None
    """The path template of the calls, such as `/users/{id}`; every call of the Data API otherwise."""
    seed: int = 1
    count: int | None = None
    """How many calls are struck in all."""
    duration: float | None = None
    """For how many seconds from now."""
    on: float | None = None
    """For how many seconds at a time; then off for `off` seconds, and so on."""
    off: float | None = None
    seconds: float | None = None
    """`latency`: how long; `drip`: between two bytes; `429`: until its reset."""
    jitter: float = 0.0
    """`latency`: up to so many seconds more."""
    bytes: int = 128 * 1024 * 1024
    """`huge`, `gzip-bomb`: how many."""
    target: str = "http://foreign.example"
    """`redirect`, `foreign-next`: the origin they lead to."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the faults that it chooses from."""
        return PASSING if self.fault == MIXED else tuple(self.fault.split("+"))


class Faults:
    """The rules in force. `None` or an empty list of rules costs a call nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rules: list[_Active] = []

    def __bool__(self) -> bool:
        return bool(self._rules)

    def set(self, rules: Sequence[Rule]) -> None:
        """Put rules in place of those in force. Raises FaultError, and then nothing has changed."""
        if len(rules) > _MOST_RULES:
            raise FaultError(f"there may be {_MOST_RULES} rules at most")
        for rule in rules:
            _check(rule)
        now = self._clock()
        self._rules = [_Active(rule, now) for rule in rules]

    def describe(self) -> list[dict[str, Any]]:
        """Return the rules in force, each with the number of calls that it has struck."""
        return [{**msgspec.to_builtins(active.rule), "struck": active.struck} for active in self._rules]

    def strike(self, template: str) -> list[Fault]:
        """Return what is done to a call's answer: every latency there is, and the first other fault."""
        now = self._clock()
        found: list[Fault] = []
        for active in self._rules:
            if active.applies(template, now):
                name = active.rng.choice(active.rule.names)
                fault = KINDS[name].fault
                slows = name == "latency"
                if slows or all(kind.slows for kind in found):
                    active.struck += 1
                    found.append(Fault(fault, _orders(active), slows))
        return found


class _Active:
    """A rule and what has come of it."""

    def __init__(self, rule: Rule, now: float) -> None:
        self.rule = rule
        self.struck = 0
        self.rng = Random(rule.seed)  # noqa: S311 - chance, not secrets
        self._since = now

    def applies(self, template: str, now: float) -> bool:
        rule, passed = self.rule, now - self._since
        if rule.path is not None and rule.path != template:
            return False
        if rule.count is not None and self.struck >= rule.count:
            return False
        if rule.duration is not None and passed >= rule.duration:
            return False
        if rule.on is not None and passed % (rule.on + (rule.off or 0.0)) >= rule.on:
            return False
        return self.rng.random() < rule.rate


def _orders(active: _Active) -> Orders:
    rule = active.rule
    return Orders(rule.seconds, active.rng.uniform(0, rule.jitter), rule.bytes, rule.target)


def read_rules(body: bytes) -> list[Rule]:
    """Read `{"faults": [...]}` or one rule. Raises FaultError."""
    try:
        value = msgspec.json.decode(body)
        rules = value["faults"] if isinstance(value, dict) and "faults" in value else [value]
        return msgspec.convert(rules, list[Rule])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        example = '{"faults": [{"fault": "html", "rate": 0.2, "path": "/users"}]}'
        raise FaultError(f"{error}; send rules as in {example}") from None


def read_option(text: str) -> Rule:
    """Read `html`, `html+reset:rate=0.2` or `drip:path=/users,seconds=0.5`. Raises FaultError."""
    fault, _, rest = text.partition(":")
    values: dict[str, str] = {"fault": fault.strip()}
    for pair in filter(None, rest.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise FaultError(f"{pair!r} is not of the form name=value; write for example html:rate=0.2,path=/users")
        values[name.strip()] = value.strip()
    try:
        rule = msgspec.convert(values, Rule, strict=False)
    except msgspec.ValidationError as error:
        raise FaultError(str(error)) from None
    _check(rule)
    return rule


def _check(rule: Rule) -> None:
    for name in rule.names:
        if name not in KINDS:
            raise FaultError(f"unknown fault {name!r}; there are: {', '.join((*KINDS, MIXED))}")
    if rule.path is not None and rule.path not in _TEMPLATES:
        raise FaultError(f"unknown path {rule.path!r}; there are: {', '.join(sorted(_TEMPLATES))}")
    if not 0 <= rule.rate <= 1:
        raise FaultError("rate must be from 0 to 1")
    if (rule.on is None) != (rule.off is None):
        raise FaultError("on and off go together")
    positive = {"on": rule.on, "off": rule.off, "count": rule.count, "duration": rule.duration, "seconds": rule.seconds}
    for name, value in (*positive.items(), ("bytes", rule.bytes)):
        if value is not None and not 0 < value <= 2**40:
            raise FaultError(f"{name} must be above 0")
    if not 0 <= rule.jitter <= 3600:
        raise FaultError("jitter must be from 0 to 3600")
