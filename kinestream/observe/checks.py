"""The table of checks that ``wear``, ``run`` and ``replay`` share: one fault has one message everywhere.

docs/checks.md shows it; ``docs/check_table.py`` writes the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from . import reception_checks, signal_checks, stream_checks
from .evidence import Evidence
from .findings import Finding, Notice

Judge = Callable[[Evidence], Finding | None]


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table: a pure function from evidence to a finding, or None."""

    name: str
    """Also the ``about`` of its findings."""
    judge: Judge

    @property
    def description(self) -> str:
        """What the check finds, in one line."""
        return (self.judge.__doc__ or "").strip()


CHECKS: tuple[Check, ...] = (
    Check("silence", reception_checks.check_silence),
    Check("malformed", reception_checks.check_malformed),
    Check("topics", reception_checks.check_unwanted),
    Check("slow_sensor", reception_checks.check_slow_sensor),
    Check("unpaired", reception_checks.check_unpaired),
    Check("unread", reception_checks.check_unread),
    Check("refused", stream_checks.check_refused),
    Check("channels", stream_checks.check_channels),
    Check("windows", stream_checks.check_windows),
    Check("obedience", stream_checks.check_obedience),
    Check("rate", stream_checks.check_rate),
    Check("slow", stream_checks.check_slow),
    Check("gaps", stream_checks.check_gaps),
    Check("losses", stream_checks.check_losses),
    Check("restarts", stream_checks.check_restarts),
    Check("bursts", stream_checks.check_bursts),
    Check("jitter", stream_checks.check_jitter),
    Check("order", stream_checks.check_order),
    Check("clock", stream_checks.check_clock),
    Check("age", stream_checks.check_age),
    Check("coverage", stream_checks.check_coverage),
    Check("values", signal_checks.check_values),
    Check("gravity", signal_checks.check_gravity),
    Check("units", signal_checks.check_units),
    Check("gyroscope", signal_checks.check_gyroscope),
    Check("slow_gyroscope", signal_checks.check_slow_gyroscope),
    Check("gyroscope_range", signal_checks.check_gyroscope_range),
    Check("gyroscope_scale", signal_checks.check_gyroscope_scale),
    Check("source", reception_checks.check_remarks),
)
"""All checks, in the order in which to look into their findings."""


STREAM_CHECKS = tuple(check for check in CHECKS if check.judge.__module__ == stream_checks.__name__)
"""Those of a stream's times, channels and windows."""


def findings(evidence: Evidence, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """Yield what the checks find, in the order of the table.

    >>> [finding.about for finding in findings(Evidence("wrist", since_start_s=12.0))]
    ['silence']
    """
    for check in checks:
        finding = check.judge(evidence)
        if finding is not None:
            yield finding


def notices(evidence: Iterable[Evidence]) -> Iterator[Notice]:
    """Yield what the checks find under each name; each remark of a source apart."""
    for each in evidence:
        for finding in findings(each):
            if each.reception is not None and finding.about == "source":
                yield from (Notice(each.name, replace(finding, text=remark)) for remark in each.reception.remarks)
            else:
                yield Notice(each.name, finding)
