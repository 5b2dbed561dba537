"""A finding of a check, and a notice: a finding about one stream, link or source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]
"""``problem``: predictions are missing or wrong; ``warning``: they may be worse or later than they could be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, in words.

    >>> print(warning("rate", "rate 48.5 Hz, announced 50", "set rate=48.5"))
    rate: rate 48.5 Hz, announced 50; set rate=48.5
    """

    about: str
    """The name of the check."""
    level: Level
    text: str
    advice: str = ""
    """The remedy; empty if nothing is wrong."""

    def __str__(self) -> str:
        return f"{self.about}: {self.line}"

    @property
    def line(self) -> str:
        """The text with its advice."""
        return self.text + (f"; {self.advice}" if self.advice else "")


def ok(about: str, text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(about, "ok", text)


def warning(about: str, text: str, advice: str) -> Finding:
    """Return a finding that predictions may be worse or later than they could be."""
    return Finding(about, "warning", text, advice)


def problem(about: str, text: str, advice: str) -> Finding:
    """Return a finding that predictions are missing or wrong."""
    return Finding(about, "problem", text, advice)


@dataclass(frozen=True, slots=True)
class Notice:
    """A finding about something with a name: a stream, a link, a port or a source.

    >>> notice = Notice("wrist", warning("rate", "rate 48.5 Hz, announced 50", "set rate=48.5"))
    >>> print(notice)
    wrist: rate 48.5 Hz, announced 50; set rate=48.5
    >>> notice.to_dict()["about"]
    'rate'
    """

    stream: str
    finding: Finding

    def __str__(self) -> str:
        return f"{self.stream}: {self.finding.line}"

    def to_dict(self) -> dict[str, Any]:
        """Return the notice as plain JSON values, as ``--json`` prints it."""
        finding = self.finding
        return {
            "notice": finding.text,
            "about": finding.about,
            "level": finding.level,
            "advice": finding.advice,
            "stream": self.stream,
        }
