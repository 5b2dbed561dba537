"""A day of eight wearers in minutes: does the receiver stay as small as it was, and does it count exactly?

    python -m benchmarks.soak
    python -m benchmarks.soak --over relay
    python -m benchmarks.soak --over ble --hours 1
    python -m benchmarks.soak --hours 0.5 --wearers 3

Each wearer is a process that publishes a synthetic day over a real socket, as fast as the receiver takes it, and that
misbehaves in a seeded order: packets left out, restarts, repeated and malformed messages, clocks that jump, bursts,
silence, rates off nominal, settings that change; the last wearer floods its receiver and never waits. Over the relay,
the link is cut instead, and nothing may be lost; over Bluetooth, one sensor loses its link every few seconds. The
receiver is this process: the session that ``kinestream run
--json --metrics --smooth --unknown 0.9 --episodes`` builds, scraped at every checkpoint.

Every sender keeps a ledger (``soaking/ledger.py``). At the end all counts of the receiver are compared with the
ledgers. Growth is judged after the first quarter of the run. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="simulated hours (default 24)")
    parser.add_argument("--wearers", type=int, default=8, help="at least 2 (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--over", choices=("zmq", "relay", "ble"), default="zmq")
    parser.add_argument("--model", help="default: the smallest bundled model")
    parser.add_argument("--json", type=Path, help="keep the outcome in this file")
    args = parser.parse_args()
    # Here, because every sending process loads this module.
    from benchmarks.soaking.outcome import as_text, verdicts, write_row
    from benchmarks.soaking.run import MODEL, Soak

    if args.over == "ble":
        from benchmarks.soaking.bluetooth import soak_bluetooth

        outcome = asyncio.run(soak_bluetooth(args.hours, args.seed, sys.stderr))
    else:
        soak = Soak(args.over, args.hours, args.wearers, args.seed, args.model or MODEL)
        outcome = asyncio.run(soak.run(sys.stderr))
    print(as_text(outcome))
    if args.json:
        write_row(args.json, outcome)
    sys.exit(not all(good for _, good in verdicts(outcome).values()))


if __name__ == "__main__":
    main()
