"""Harm on purpose, and report what it costs.

python -m benchmarks.chaos flips
python -m benchmarks.chaos flips --flips 2000 --seed 7
python -m benchmarks.chaos fuzz --minutes 10 --seed 1
python -m benchmarks.chaos fuzz --case runs/fuzz/CASE.json
python -m benchmarks.chaos relay
python -m benchmarks.chaos relay --kind full --rounds 10 --seed 3
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.chaos import flips, fuzz, relay


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    flips.add_parser(kinds)
    fuzz.add_parser(kinds)
    relay.add_parser(kinds)
    args = parser.parse_args()
    sys.exit(args.run(args))


if __name__ == "__main__":
    main()
