"""CSV files like those of a user with labelled recordings."""

from pathlib import Path

import numpy as np

from .made_up import LABELS, recording


def write_csv(
    path: Path,
    *,
    seed: int = 1,
    labels: tuple[str, ...] = LABELS[:3],
    seconds: float = 40.0,
    gyro: bool = True,
    subject: str | None = None,
    label: str | None = "label",
    every: int = 1,
    nan_rows: int = 0,
) -> Path:
    """Write one activity after the other at 50 Hz, or every ``every``-th row of that; return ``path``."""
    source = recording(str(seed), labels, seconds)
    x = source.x[:, : 6 if gyro else 3].astype(np.float64)
    x[10 : 10 + nan_rows, 1] = np.nan
    header = ["t (s)", *("ax (m/s^2)", "ay (m/s^2)", "az (m/s^2)"), *(("gx", "gy", "gz") if gyro else ())]
    header += [label] * (label is not None) + ["user"] * (subject is not None)
    lines = [",".join(header)]
    for i in range(0, len(source.t), every):
        row = [f"{source.t[i]:.2f}", *(f"{value:.4f}" for value in x[i])]
        row += [labels[source.labels[i]]] * (label is not None) + [subject or ""] * (subject is not None)
        lines.append(",".join(row))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
