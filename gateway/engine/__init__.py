"""Turns a request's document into an answer: by a compiled plan, or by graphql-core. Nothing here knows HTTP.

The road of an operation, in the order of the files: `executor` takes it; `documents` and `operations` know it already,
or parse and check it; `plan` compiles it from what `collect` finds selected, with code from `regions`; `run` executes
the plan by the steps in `loads` and `columns`; `problems` puts nulls and errors where something failed; `writing` and
`answers` make it bytes.
"""
