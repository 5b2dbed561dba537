"""``python -m benchmarks.report``: the measured and the published figures on one HTML page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kinestream.core.errors import KinestreamError

RESULTS = Path(__file__).resolve().parents[1] / "results"


def main() -> int:
    """Write the page; print its path, and the files left out to standard error. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path, help="folder of a finished run to add")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        default=RESULTS,
        help="folder of JSON files (default: the committed ones)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("runs/report"),
        help="folder for the page and its PNGs (default %(default)s)",
    )
    args = parser.parse_args()
    try:
        from .report import make_report

        path, results = make_report(args.results, args.out, args.runs)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("benchmarks", "kinestream")):
            raise
        print(f"the report needs {error.name}; install it with: pip install '.[train]'", file=sys.stderr)
        return 1
    except KinestreamError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    for name, reason in results.left_out.items():
        print(f"left out {name}: {reason}", file=sys.stderr)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
