"""`explain`: one operation sent to a running gateway, and what the gateway did for it: which reads, how and why."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from gateway.cli.query import Document, Token, Url, Variables, ask, no_token
from gateway.cli.terminal import Failure, out, say_error

_EXPLAIN = {"X-Clever-Explain": "plan"}
# Off the terminal there is no width to keep to.
_WIDEST = 120
_LONGEST_BAR, _SHORTEST_BAR = 24, 8
_HEADINGS = ("", "what", "how", "calls", "read", "ms")
_RIGHT = frozenset({0, 3, 4, 5})
_GAP = "  "
_TIMES = "\N{MULTIPLICATION SIGN}"
# For a terminal or a file that is not in UTF-8.
_PLAIN = str.maketrans({_TIMES: "x", "█": "#", "░": ".", "▏": "|"})

Step = Mapping[str, Any]
Line = tuple[str, str]  # text and style


def explain(
    document: Document,
    variables: Variables = "{}",
    token: Token = None,
    url: Url = "http://127.0.0.1:8000/graphql",
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Send a query and print what the gateway read for it, how, why and how long it took; exit 1 on errors."""
    answer, tokenless = ask(document, variables, token, url, _EXPLAIN)
    if tokenless:
        raise no_token()
    errors: Sequence[Mapping[str, Any]] = answer.get("errors", ())
    report = answer.get("extensions", {}).get("clever")
    if report is None and not errors:
        # What is about the schema alone asks nothing of Clever.
        report = {"cost": {"calls": 0, "cached": 0, "remaining": None}, "plan": []}
    for error in errors:
        say_error(_sentence(error))
    if report is not None and "plan" not in report:
        raise Failure(
            f"{url} does not tell its plans. Start the gateway with GATEWAY_EXPLAIN=true; `clever-gateway demo` does."
        )
    if report is not None:
        _show(report, as_json)
    if errors:
        raise typer.Exit(1)


def _sentence(error: Mapping[str, Any]) -> str:
    """Return an error in a line: its code, where it is, and what it says."""
    where = ""
    if "path" in error:
        where = f" at {'.'.join(str(part) for part in error['path'])}"
    elif error.get("locations"):
        where = " at line {line}, column {column}".format_map(error["locations"][0])
    return f"{error.get('extensions', {}).get('code', 'error')}{where}: {error.get('message', '')}"


def _show(report: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    for text, style in pictured(report, min(out.width, _WIDEST) if out.is_terminal else _WIDEST):
        out.print(Text(text if out.encoding.startswith("utf") else text.translate(_PLAIN), style=style))


def pictured(report: Mapping[str, Any], width: int) -> Iterator[Line]:
    """Yield a line for each step, with its time as a bar, why it was done so below it, and the totals."""
    plan: Sequence[Step] = report["plan"]
    if not plan:
        yield "Nothing was read from Clever for this.", ""
        return
    rows = [_HEADINGS, *(_cells(number, step) for number, step in enumerate(plan, 1))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    left = width - sum(widths) - len(widths) * len(_GAP)
    bar = max(_SHORTEST_BAR, min(_LONGEST_BAR, left))
    whole = _ended(plan)
    indent = " " * (widths[0] + len(_GAP))
    yield f"{_aligned(_HEADINGS, widths)}{_GAP}{'0':<{bar // 2}}{whole:>{bar - bar // 2}.0f}", "bold"
    for row, step in zip(rows[1:], plan, strict=True):
        yield f"{_aligned(row, widths)}{_GAP}{_bar(step, whole, bar)}".rstrip(), ""
        for part in textwrap.wrap(step["why"], width, initial_indent=indent, subsequent_indent=indent):
            yield part, "dim"
    yield "", ""
    yield from _totals(plan, report)


def _cells(number: int, step: Step) -> tuple[str, ...]:
    made, estimated = step["calls"]["made"], step["calls"]["estimated"]
    parents = f" {_TIMES}{step['parents']}" if step["parents"] > 1 else ""
    calls = "memory" if step["cached"] else str(made) if made == estimated else f"{made} (est. {estimated})"
    size = "" if step["cached"] else _size(step["bytes"]["read"])
    return str(number), f"{step['relation']}{parents}", step["path"], calls, size, f"{step['ms']['took']:.1f}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = enumerate(zip(cells, widths, strict=True))
    return _GAP.join(cell.rjust(width) if at in _RIGHT else cell.ljust(width) for at, (cell, width) in columns)


def _bar(step: Step, whole: float, length: int) -> str:
    """Return when the step was under way, `length` characters being the whole request."""
    start = min(length - 1, int(step["ms"]["start"] / whole * length))
    taken = round(step["ms"]["took"] / whole * length)
    return " " * start + (("░" if step["cached"] else "█") * min(taken, length - start) or "▏")


def _totals(plan: Sequence[Step], report: Mapping[str, Any]) -> Iterator[Line]:
    cost, stale = report["cost"], report.get("stale")
    expected = sum(step["calls"]["estimated"] for step in plan)
    read = _size(sum(step["bytes"]["read"] for step in plan))
    yield f"{_many(cost['calls'], 'call')} to Clever (est. {expected}), {read} read, {_ended(plan):.0f} ms.", "bold"
    yield f"{_many(cost['cached'], 'read')} answered from memory; {cost['remaining']} calls left of the minute.", ""
    if stale:
        yield f"Some of it is past its time: as of {stale['asOf']} ({stale['reason']}).", ""


def _ended(plan: Sequence[Step]) -> float:
    """Return when the last step ended, in milliseconds."""
    return max(step["ms"]["start"] + step["ms"]["took"] for step in plan) or 1.0


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB" if size >= 1000 else f"{size} B"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
