"""``make_report``: all tables and figures of the committed JSON files, as one page and as pictures."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import accuracy, comparisons, fronts, worn
from . import page as html
from .files import read_results

if TYPE_CHECKING:
    from .values import Results

PAGE = "index.html"
OWN_SECTIONS = ("front", "ablation", "adapt", "arena_hapt")
"""Tables with a section of their own; the report shows every other table row by row."""


def make_report(results_dir: Path | None, out_dir: Path, run_dirs: Sequence[Path] = ()) -> tuple[Path, Results]:
    """Write the page and its pictures (PNG); the same files give the same page.

    Args:
        results_dir: the folder of JSON files, in the format of ``benchmarks/results/README.md``; None: only the runs.
        run_dirs: folders of finished runs to add.
    Returns:
        The page's path, and the results with the files that were read and left out.
    Raises:
        KinestreamError: as ``read_results``.
    """
    results = read_results(results_dir, run_dirs)
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / PAGE
    path.write_text(html.page("Measured results of kinestream", _lead(results), _sections(results, out_dir)), "utf-8")
    return path, results


def published_figures() -> dict[str, Any]:
    """The figures published by others, with their sources: ``published.toml``."""
    return tomllib.loads(Path(__file__).with_name("published.toml").read_text("utf-8"))


def _lead(results: Results) -> list[str]:
    marks = (
        (
            html.mark("ours"),
            "measured here; mean ± standard deviation over the seeds, folds or people of the row",
        ),
        (html.mark("published"), "by others, on other machines and mostly on other windows; not run here"),
        (html.mark("apart", "people apart"), "no test person was used for training or validation"),
        (html.mark("leaky"), "the same people, even overlapping windows, in training and test: optimistic"),
        (html.mark("held", "validation people"), "the people on whom settings were chosen; not a final result"),
    )
    items = "".join(f"<li>{mark} {escape(text)}</li>" for mark, text in marks)
    return [
        html.paragraph(
            f"Rebuilt by <code>python -m benchmarks.report</code> from {len(results.read)} files. "
            "Every accuracy is in percent. "
            "<strong>UCI-HAR rebuilt from HAPT</strong> is not the original UCI-HAR: people and recordings are the "
            "same, but kinestream's live code cuts and conditions the windows."
        ),
        f"<ul>{items}</ul>",
    ]


def _sections(results: Results, out: Path) -> list[tuple[str, str, str]]:
    published = published_figures()
    others = "".join(
        f"<h3>{escape(table.title)}</h3>{comparisons.any_table(table)}"
        for name, table in results.tables.items()
        if name not in OWN_SECTIONS
    )
    sections = [
        ("accuracy", "Accuracy, ours and published", accuracy.beside_published(results, published)),
        ("macs", "Accuracy against multiply-accumulates", fronts.against_macs(results, published, out)),
        ("latency", "Accuracy against measured time", fronts.against_latency(results, out)),
        ("others", "Other models", accuracy.other_models(results)),
        ("classes", "Classes and confusion", accuracy.classes(results)),
        ("worn", "Worn another way", worn.worn(results, out)),
        ("protocols", "Protocols side by side", comparisons.protocols(results, published)),
        ("arena", "WHAR Arena", comparisons.arena(results, published)),
        ("ablation", "Changes to the recipe", comparisons.ablation(results, out)),
        ("adapt", "Adapting to one person", comparisons.adapting(results, out)),
        ("tables", "Baselines and rivals", others),
        ("files", "Files", _files(results)),
    ]
    return [section for section in sections if section[2]]


def _files(results: Results) -> str:
    read = html.paragraph("Read: " + ", ".join(f"<code>{escape(name)}</code>" for name in results.read) + ".")
    if not results.left_out:
        return read
    rows = [html.row(escape(name), html.words(reason)) for name, reason in results.left_out.items()]
    return read + html.table(["left out", "reason"], rows)
