"""The table of bundled models in docs/models.md."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "model_table.py"


def test_the_table_in_the_documentation_is_that_of_the_bundled_models() -> None:
    script = runpy.run_path(str(SCRIPT))
    page = script["PAGE"].read_text("utf-8")
    assert script["with_table"](page) == page, "run python docs/model_table.py"
