"""Masks: records with `WITHHELD` in the place of what a viewer is not granted; the engine turns it into FORBIDDEN."""

from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from gateway.clever.records import Roles, StaffRole, StudentRole, TeacherRole, User
from gateway.policy import Group


class Withheld:
    """Stands in a record where a value is not for the viewer. It is false, so that nothing takes it for a value."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "WITHHELD"


WITHHELD = Withheld()

_CREDENTIALS = {Group.CREDENTIALS: ("credentials",), Group.EXTENSIONS: ("ext",)}
# Which fields of a person's roles belong to which group.
FIELDS: Mapping[type, Mapping[Group, tuple[str, ...]]] = {
    StudentRole: {
        Group.DOB: ("dob",),
        Group.RACE: ("race",),
        Group.ETHNICITY: ("hispanic_ethnicity",),
        Group.HOME_LANGUAGE: ("home_language", "home_language_code"),
        Group.ELL: ("ell_status",),
        Group.IEP: ("iep_status",),
        Group.SECTION_504: ("section_504_status",),
        Group.FRL: ("frl_status",),
        Group.DISABILITY: ("disability",),
        Group.LOCATION: ("location",),
        **_CREDENTIALS,
    },
    TeacherRole: _CREDENTIALS,
    StaffRole: _CREDENTIALS,
}
# What of a person is no detail: the name, and which roles there are.
_OPEN = frozenset({"id", "name", "roles", "district"})
_DETAILS = {name: WITHHELD for name in User.__struct_fields__ if name not in _OPEN}


def masked(user: User, groups: Set[Group]) -> User:
    """Return a person's record without the fields of these groups."""
    if Group.DETAILS in groups:
        held = {name: WITHHELD for name in Roles.__struct_fields__ if getattr(user.roles, name) is not None}
        return replace(user, roles=Roles(**held), **_DETAILS)  # type: ignore[arg-type]
    roles = user.roles
    changed: dict[str, Any] = {}
    for name, kind in (("student", StudentRole), ("teacher", TeacherRole), ("staff", StaffRole)):
        role = getattr(roles, name)
        if role is not None and (blank := _blank(kind, frozenset(groups))):
            changed[name] = replace(role, **blank)
    return replace(user, roles=replace(roles, **changed)) if changed else user


@lru_cache(maxsize=256)
def _blank(kind: type, groups: frozenset[Group]) -> Mapping[str, Withheld]:
    return {name: WITHHELD for group, names in FIELDS[kind].items() if group in groups for name in names}
