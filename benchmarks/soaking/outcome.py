"""What a soak found: the verdict, the tables and the file of results."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, fields
from typing import TYPE_CHECKING

from benchmarks.result_file import ResultFile

from .vitals import BLE_LIMIT_KIB_PER_H, LIMIT_KIB_PER_H, Vitals, after_warm_up, grows, slope_per_h

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Outcome:
    """What a soak found."""

    over: str
    hours: float
    wearers: int
    seed: int
    wall_s: float
    vitals: list[Vitals]
    counts: dict[str, tuple[int, int]]
    """Of each kind: what the ledgers say, and what the receiver counted."""
    harms: dict[str, int]
    grown: dict[str, int] = field(default_factory=dict)
    """Types of which there were more objects at the end than after the warm-up."""

    @property
    def mismatches(self) -> list[str]:
        """The kinds whose two figures differ."""
        return [kind for kind, (sent, received) in self.counts.items() if sent != received]


def verdicts(outcome: Outcome) -> dict[str, tuple[str, bool]]:
    """Return each question of the soak with its answer, and whether that is as it should be."""
    rows = after_warm_up(outcome.vitals)
    slope, senders = (slope_per_h(outcome.vitals, name) for name in ("memory_kib", "senders_kib"))
    limit = BLE_LIMIT_KIB_PER_H if outcome.over == "ble" else LIMIT_KIB_PER_H
    answers = {"memory of the receiver": (f"{slope:+.1f} KiB per simulated hour", slope <= limit)}
    if outcome.over == "relay":
        limit = outcome.wearers * LIMIT_KIB_PER_H
        answers["memory of the senders"] = (f"{senders:+.1f} KiB per simulated hour, all together", senders <= limit)
    for name in ("descriptors", "threads"):
        values = [getattr(row, name) for row in rows]
        answers[name] = (f"{min(values)} to {max(values)}", not grows(outcome.vitals, name))
    names = ", ".join(outcome.mismatches)
    answers["mismatches"] = (f"{len(outcome.mismatches)} of {len(outcome.counts)} kinds {names}", not names)
    return answers


def as_text(outcome: Outcome) -> str:
    """Return the table of the vitals, the counts and the verdict."""
    lines = [
        f"{'hours':>6} {'wall s':>7} {'MiB':>7} {'files':>6} {'threads':>8} {'objects':>8} {'queued':>7} {'windows':>9}"
    ]
    step = max(1, len(outcome.vitals) // 12)
    lines += [
        f"{row.hours:6.2f} {row.wall_s:7.0f} {row.memory_kib / 1024:7.1f} {row.descriptors:6} {row.threads:8} "
        f"{row.objects:8} {row.queued:7} {row.windows:9}"
        for row in outcome.vitals[::step]
    ]
    lines += ["", f"{'':24} {'ledgers':>12} {'receiver':>12} {'difference':>11}"]
    lines += [f"{kind:24} {a:12,} {b:12,} {b - a:11,}" for kind, (a, b) in outcome.counts.items()]
    lines += ["", "harms: " + ", ".join(f"{kind} {times}" for kind, times in sorted(outcome.harms.items()))]
    lines += ["more objects: " + (", ".join(f"{kind} {n}" for kind, n in outcome.grown.items()) or "none"), ""]
    lines += [f"{'ok ' if good else 'BAD'} {what}: {answer}" for what, (answer, good) in verdicts(outcome).items()]
    return "\n".join(lines)


def write_row(path: Path, outcome: Outcome) -> None:
    """Put the outcome into a file of results, in place of the last one over the same link."""
    about = {
        "title": "Soak: a day of wearers whose sensors misbehave",
        "command": "python -m benchmarks.soak --json benchmarks/results/soak.json",
        "protocol": "synthetic wearers, each a process, over real sockets, as fast as the receiver takes their samples",
    }
    file = ResultFile(path, about)
    row = {
        "name": f"over {outcome.over}",
        "seeds": [outcome.seed],
        "hours": outcome.hours,
        "wearers": outcome.wearers,
        "wall_s": round(outcome.wall_s),
        "memory_kib_per_h": round(slope_per_h(outcome.vitals, "memory_kib"), 2),
        "senders_kib_per_h": round(slope_per_h(outcome.vitals, "senders_kib"), 2),
        "verdict": {what: {"found": answer, "good": good} for what, (answer, good) in verdicts(outcome).items()},
        "counts": {kind: {"ledgers": a, "receiver": b} for kind, (a, b) in outcome.counts.items()},
        "harms": dict(sorted(outcome.harms.items())),
        "columns": [column.name for column in fields(Vitals)],
        "checkpoints": [list(astuple(vitals)) for vitals in outcome.vitals],
    }
    file.rows = [*(old for old in file.rows if old["name"] != row["name"]), row]
    file.save()
