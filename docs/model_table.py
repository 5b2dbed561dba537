"""The table of bundled models in docs/models.md.

    python docs/model_table.py

writes it from the models' files and from inference/zoo/zoo.toml; a test fails while the page says anything else.
"""

from __future__ import annotations

from pathlib import Path

from kinestream.inference.zoo_table import BundledModel, zoo

PAGE = Path(__file__).with_name("models.md")
BEGIN, END = "<!-- written by docs/model_table.py -->\n", "<!-- end -->\n"


def model_table() -> str:
    """Return the table in Markdown, a row for each model in the order of preference."""
    rows = ["| model | good for | needs | learned from sensors worn | place unknown | accuracy elsewhere |"]
    rows.append("|---|---|---|---|---|---|")
    rows += [_row(model) for model in zoo()]
    return "\n".join(rows) + "\n"


def _row(model: BundledModel) -> str:
    figures = ", ".join(f"{dataset} {100 * accuracy:.1f} %" for dataset, accuracy in model.elsewhere)
    cells = (
        f"`{model.name}`",
        model.good_for,
        model.needs,
        ", ".join(model.places),
        "yes" if model.any_place else "no",
        figures or "not measured",
    )
    return f"| {' | '.join(cells)} |"


def with_table(page: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + model_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
