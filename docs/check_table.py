"""The table of checks in docs/checks.md: what each finds, what it says, and the remedy.

    python docs/check_table.py

writes it from the table of checks, each row with evidence that provokes it; a test fails while the page says anything
else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kinestream.core.evidence import Reception, StreamFigures
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import ACC, GYRO
from kinestream.observe.checks import CHECKS, Check
from kinestream.observe.evidence import Evidence
from kinestream.observe.findings import Finding
from kinestream.observe.signal import SignalFigures
from kinestream.observe.turning import Turning

PAGE = Path(__file__).with_name("checks.md")
BEGIN, END = "<!-- written by docs/check_table.py -->\n", "<!-- end -->\n"

SPEC = InputSpec((*ACC, *GYRO), 50.0, length=128, hop=64)
FIGURES = StreamFigures(
    "wrist",
    (*ACC, *GYRO),
    50.0,
    samples=1000,
    span_s=10.0,
    rate_hz=50.0,
    jitter_ms=0.4,
    burst_samples=1,
    age_ms=40.0,
    interpolated_share=0.0,
    coverage=1.0,
    windows=14,
    silence_s=0.1,
    longest_hole_s=0.02,
)
SIGNAL = SignalFigures(
    blocks=6, gravity=9.8, spread=1.4, rest_gravity=9.8, moved_blocks=4, gyro_peak=4.0, gyro_news=1.0
)
SOUND = Evidence("wrist", FIGURES, SIGNAL, Reception("wrist", packets=100, samples=1000), SPEC, since_start_s=20.0)
"""Evidence of a sensor without a fault."""


def _nothing(reception: Reception) -> Evidence:
    return Evidence("wrist", reception=reception, since_start_s=8.0)


def _figures(**changes: object) -> Evidence:
    return replace(SOUND, figures=replace(FIGURES, **changes))  # pyright: ignore[reportArgumentType]


def _signal(**changes: object) -> Evidence:
    return replace(SOUND, signal=replace(SIGNAL, **changes))  # pyright: ignore[reportArgumentType]


_PHONE = Reception("phone", packets=80, expected="totalacceleration and gyroscope", unpaired=800)

EXAMPLES: dict[str, Evidence] = {
    "silence": _nothing(Reception("wrist", expected="topics that begin with imu/")),
    "malformed": _nothing(
        Reception(
            "wrist",
            packets=12,
            malformed=12,
            malformed_example=bytes.fromhex("5561f0ff0c"),
            malformed_reason="expected 20 bytes, found 5",
        )
    ),
    "topics": _nothing(
        Reception("wrist", packets=40, unwanted={"wrist": 37, "status": 3}, expected="topics that begin with imu/")
    ),
    "slow_sensor": _nothing(replace(_PHONE, sensor_hz={"totalacceleration": 100.0, "gyroscope": 1.0})),
    "unpaired": _nothing(replace(_PHONE, newest_s={"totalacceleration": 1208.3, "gyroscope": 8.31})),
    "unread": _nothing(Reception("wrist", packets=40, expected="acceleration")),
    "refused": replace(
        SOUND,
        refused="the model needs gyro_x, gyro_y, gyro_z, the source offers acc_x, acc_y, acc_z; choose a model made "
        "for this sensor (kinestream models list)",
    ),
    "channels": _figures(channels=ACC),
    "windows": replace(_figures(windows=0, coverage=None, rate_hz=3.3, longest_hole_s=0.31), windowless_s=9.0),
    "obedience": replace(
        _figures(rate_hz=12.5), reception=Reception("wrist", packets=100, samples=1000, asked_hz=50.0)
    ),
    "rate": _figures(rate_hz=48.5),
    "slow": _figures(rate_hz=12.5),
    "gaps": _figures(longest_hole_s=0.52),
    "losses": _figures(lost=25, lost_share=0.024),
    "restarts": _figures(epochs=6),
    "bursts": _figures(burst_samples=12, jitter_ms=220.0),
    "jitter": _figures(jitter_ms=35.0),
    "order": _figures(out_of_order=25),
    "clock": _figures(age_ms=-1.8e12),
    "age": _figures(age_ms=3010.0),
    "coverage": _figures(coverage=0.62),
    "values": _signal(not_finite=0.2),
    "gravity": _signal(gravity=0.4, rest_gravity=None, spread=2.1),
    "units": _signal(gravity=0.99, rest_gravity=0.99, spread=0.1),
    "gyroscope": _signal(gyro_still_blocks=4, gyro_zero=True, gyro_peak=0.0, gyro_news=None),
    "slow_gyroscope": _signal(gyro_news=0.02),
    "gyroscope_range": _signal(gyro_peak=240.0),
    "gyroscope_scale": _signal(turning=Turning(5, 0.27)),
    "source": replace(
        SOUND,
        reception=Reception("wrist", packets=100, samples=1000, remarks=("its stamps are on another clock: mapped",)),
    ),
}
"""Evidence that provokes each check."""


def example(check: Check) -> Finding:
    """Return what a check says of its example."""
    finding = check.judge(EXAMPLES[check.name])
    assert finding is not None, f"the example of {check.name} does not provoke it"
    return finding


def check_table() -> str:
    """Return the table in Markdown, a row for each check."""
    rows = ["| `about` | what it finds | what it says, for example | remedy |", "|---|---|---|---|"]
    for check in CHECKS:
        finding = example(check)
        said = f"{finding.level}: {finding.text}"
        rows.append(f"| `{check.name}` | {check.description} | {said} | {finding.advice or 'none needed'} |")
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + check_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
