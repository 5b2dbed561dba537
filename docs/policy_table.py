"""The table of policies and their settings in docs/policies.md.

    python docs/policy_table.py

writes it from the policies' classes; a test fails while the page says anything else.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from kinestream.policy import POLICIES, SettingSpec, specs_of
from kinestream.policy.settings_text import value_text

PAGE = Path(__file__).with_name("policies.md")
BEGIN, END = "<!-- written by docs/policy_table.py -->\n", "<!-- end -->\n"


def policy_table() -> str:
    """Return the table in Markdown, a row for each policy."""
    rows = ["| policy | what it does | settings (defaults) |", "|---|---|---|"]
    for kind, policy in POLICIES.items():
        summary = (inspect.getdoc(policy) or "").splitlines()[0]
        rows.append(f"| `{kind}` | {summary} | {'<br>'.join(map(_described, specs_of(policy)))} |")
    return "\n".join(rows) + "\n"


def _described(spec: SettingSpec) -> str:
    default = "open" if spec.default is None else value_text(spec.default).removesuffix(".0")
    return f"`{spec.name}` ({default}): {spec.help}"


def with_table(page: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + policy_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
