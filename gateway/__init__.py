"""One GraphQL endpoint over the Clever REST API."""

__version__ = "0.1.0"
