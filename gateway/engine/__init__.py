"""Turns a request's document into an answer. graphql-core executes; nothing here knows HTTP."""
