"""Fixtures of these tests."""

from tests.resilience.fixtures import faulty, faulty_server

__all__ = ["faulty", "faulty_server"]
