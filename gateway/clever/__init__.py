"""Clever's REST API as a client sees it: catalogue, records, calls, client. No GraphQL words here."""
