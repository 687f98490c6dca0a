"""Records cannot be changed, and who asks is never shown."""

import logging

import msgspec
import pytest

from gateway.clever import records
from gateway.clever.catalogue import ALL
from gateway.clever.records import Part, Record
from gateway.identity import Tenant

TOKEN = "a-token-of-a-district-0123456789"
STRUCTS = [kind for kind in vars(records).values() if isinstance(kind, type) and issubclass(kind, Part | Record)]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_no_record_or_part_can_be_changed(kind: type) -> None:
    made = kind()
    for field in kind.__struct_fields__:  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            setattr(made, field, "other")


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_field_may_be_absent_and_reads_as_nothing(kind: type) -> None:
    made = kind()
    values = {field: getattr(made, field) for field in kind.__struct_fields__}  # type: ignore[attr-defined]
    assert all(value in (None, "", records.NO_ROLES) for value in values.values())


def test_records_of_equal_values_are_equal() -> None:
    assert records.Course(id="a" * 24, name="Algebra") == records.Course(id="a" * 24, name="Algebra")


def test_every_resource_has_a_record_of_its_own() -> None:
    assert len({rows.record for rows in ALL}) == len(ALL) == 7


def test_a_tenant_never_shows_its_token() -> None:
    tenant = Tenant(TOKEN)
    shown = [repr(tenant), str(tenant), f"{tenant}", "%s" % tenant, repr([tenant]), repr({tenant: 1})]  # noqa: UP031
    line = logging.LogRecord("gateway", logging.INFO, "", 0, "%s %r", (tenant, tenant), None).getMessage()
    assert all(TOKEN not in text for text in [*shown, line])
    assert TOKEN.encode() not in tenant.key


def test_a_tenant_is_its_token() -> None:
    assert Tenant(TOKEN) == Tenant(TOKEN)
    assert len({Tenant(TOKEN), Tenant(TOKEN), Tenant("another")}) == 2
    assert Tenant(TOKEN) != TOKEN
    assert Tenant(TOKEN).authorization == f"Bearer {TOKEN}".encode()


def test_a_tenant_is_not_written_into_a_body() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode({"tenant": Tenant(TOKEN)})
