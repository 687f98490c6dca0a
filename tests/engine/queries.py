"""The documents that we promise to plan: README's, GraphiQL's default tabs', and those that we are measured by."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_README = (ROOT / "README.md").read_text(encoding="utf-8")
_TABS = sorted((ROOT / "gateway/web/graphiql/src/examples").glob("*.graphql"))

_TEACHERS = "teachers { id: cleverId name { first last } email }"
_STUDENTS = "students(first: 10000) { nodes { id: cleverId name { first last } student { grade } } }"
_TREE = f"sections(first: 10000) {{ nodes {{ id: cleverId name {_TEACHERS} {_STUDENTS} }} }}"

MEASURED = {
    "one section": f"query Q1($id: ID!) {{ section(id: $id) {{ id: cleverId name subject {_TEACHERS} {_STUDENTS} }} }}",
    "sections of schools": """query Q2 { schools(first: 10000) { nodes {
        id: cleverId name sections(first: 10) { nodes { id: cleverId name } } } } }""",
    "one school": f"""query Q3($id: ID!) {{ school(id: $id) {{ id: cleverId name sections(first: 10000) {{ nodes {{
        id: cleverId name teachers {{ id: cleverId name {{ first last }} }} {_STUDENTS} }} }} }} }}""",
    "the district": f"""query Q4 {{ districts {{ id: cleverId name schools(first: 10000) {{ nodes {{
        id: cleverId name {_TREE} }} }} }} }}""",
    "three schools": f"""query Q4s {{ districts {{ id: cleverId name schools(first: 3) {{ nodes {{
        id: cleverId name {_TREE} }} }} }} }}""",
    "many people by id": "query Q5 { "
    + " ".join(f'u{n}: user(id: "{n % 450:024x}") {{ id: cleverId name {{ first last }} email }}' for n in range(500))
    + " }",
    "two thousand students": """query Q6 { students: users(role: STUDENT, first: 2000) { nodes {
        id: cleverId email name { first last } student { grade gender dob sis_id: sisId } } } }""",
}

PROMISED = {
    **{f"README {number}": text for number, text in enumerate(re.findall(r"```graphql\n(.*?)```", _README, re.DOTALL))},
    **{path.stem: path.read_text(encoding="utf-8") for path in _TABS},
    **MEASURED,
}

VARIABLES = {"id": "0" * 24, "school": "0" * 24, "first": 3, "after": None}
