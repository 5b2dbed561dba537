"""A file of measured figures that grows with every run; figures in it are not recomputed.

Laid out as ``benchmarks/results/README.md`` says: one row for each thing measured, its lists as long as ``seeds``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinestream.core.atomic_file import write_atomically


class ResultFile:
    """Rows found by name and subnetwork, written whole after every figure; read again before each, so that two runs
    may fill one file.

    Args:
        path: None keeps the rows in memory only.
        about: title, command and protocol, and whatever else describes the file; replaces the previous description.
    """

    def __init__(self, path: Path | None, about: Mapping[str, Any]) -> None:
        self.path = path
        held = self._held()
        self.rows: list[dict[str, Any]] = held.pop("rows", [])
        self.about = {**held, **about}

    def find(self, name: str, subnet: object = None) -> dict[str, Any] | None:
        """The row, or None."""
        subnet_name = None if subnet is None else str(subnet)
        return next((row for row in self.rows if row["name"] == name and row.get("subnet") == subnet_name), None)

    def has(self, name: str, subnet: object, seed: int) -> bool:
        """Whether the row holds the figures of this seed, fold or person."""
        row = self.find(name, subnet)
        return row is not None and seed in row["seeds"]

    def add(self, name: str, subnet: object, seed: int, figures: Mapping[str, float], **fixed: Any) -> None:
        """One seed's figures at the end of the row's lists.

        Args:
            fixed: what belongs to the row whatever the seed (``macs``, ``network``); the latest replaces.
        """
        self.rows = self._held().get("rows", self.rows)
        row: dict[str, Any] | None = self.find(name, subnet)
        if row is None:
            row = {"name": name, **({} if subnet is None else {"subnet": str(subnet)}), "seeds": []}
            self.rows.append(row)
        row["seeds"].append(seed)
        for key, value in figures.items():
            row.setdefault(key, []).append(round(float(value), 5))
        row.update(fixed)
        self.save()

    def _held(self) -> dict[str, Any]:
        return json.loads(self.path.read_text("utf-8")) if self.path is not None and self.path.exists() else {}

    def save(self) -> None:
        """Write the file, one row a line; a kill while writing leaves the file before this one."""
        if self.path is None:
            return
        head = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in self.about.items()]
        rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in self.rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, "{" + ",\n".join([*head, f'"rows": [\n{rows}\n]']) + "}\n")
