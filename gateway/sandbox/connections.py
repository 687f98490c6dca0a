"""Which districts are connected, and by which token: what a district's or an app's administrator changes."""

from dataclasses import replace
from urllib.parse import parse_qs

from .answers import Answer, json, refusal
from .tokens import Grant, Kind

Grants = dict[str, Grant]


def changed(action: str, raw_query: str, grants: Grants, gone: Grants) -> Answer | None:
    """Carry out `rotate`, `disconnect` or `connect` for `?district=`; None for any other action.

    A rotated token is refused from now on, unless `keep=true` leaves it valid beside the new one. `gone` holds the
    tokens of districts that are disconnected.
    """
    query = parse_qs(raw_query, max_num_fields=10)
    district, keep = query.get("district", [""])[0], query.get("keep") == ["true"]
    match action:
        case "rotate":
            return _rotate(district, keep, grants)
        case "disconnect":
            return _moved(district, grants, gone)
        case "connect":
            return _moved(district, gone, grants)
    return None


def _tokens_of(district: str, grants: Grants) -> list[Grant]:
    found = [grant for grant in grants.values() if grant.kind is Kind.DISTRICT and grant.world.id == district]
    return sorted(found, key=lambda grant: grant.generation)


def _rotate(district: str, keep: bool, grants: Grants) -> Answer:
    held = _tokens_of(district, grants)
    if not held:
        return _unknown()
    last = held[-1]
    generation = last.generation + 1
    name = f"{last.token.partition('_R')[0]}_R{generation}"
    for old in held if not keep else ():
        del grants[old.token]
    grants[name] = replace(last, token=name, generation=generation)
    return json(200, {"token": name})


def _moved(district: str, source: Grants, target: Grants) -> Answer:
    held = _tokens_of(district, source)
    for grant in held:
        target[grant.token] = source.pop(grant.token)
    return json(200, {"tokens": [grant.token for grant in held]}) if held else _unknown()


def _unknown() -> Answer:
    return refusal(404, "No district of this id has a token in that state; `?district=` takes a district's id")
