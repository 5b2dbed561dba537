"""Checks of a stream's times: rate, holes, bursts, age, losses, and whether its samples give windows.

Each check takes the evidence under one name and returns a finding, or None.
"""

from __future__ import annotations

from kinestream.core.errors import InputMismatch
from kinestream.core.evidence import RATE_TOLERANCE
from kinestream.core.input_spec import CLOCK_TOLERANCE, MIN_RATE_SHARE

from .evidence import Evidence
from .findings import Finding, problem, warning

LEAST_S = 3.5
"""Seconds of signal from which on a rate is believed."""
RATE_OK = CLOCK_TOLERANCE
"""Allowed relative difference of the measured and the announced rate."""
LOSS_SEEN, LOSS_BAD = 0.005, 0.05
"""Share of the last seconds' samples that is reported, and above which windows are often incomplete."""
JITTER = 0.5
"""Allowed spread of nine in ten intervals, as a share of the sampling interval."""
AGE_S = (0.5, 2.0)
"""Ages on arrival that give a warning and a problem."""
FUTURE_S = 0.05
"""Stamps this far in the future are reported."""
ANOTHER_CLOCK_S = 60.0
"""Ages beyond this, or as far in the future, are not delays but another clock."""
BURST = 2
"""Samples at one instant that are reported."""
COVERAGE = (0.5, 0.8)
"""Mean coverage of windows that is reported; labels below the first are withheld, with a notice of their own."""
SHORT_EPOCH_S, RESTARTS = 30.0, 2
"""A stream whose epochs are shorter on average restarts too often; fewer restarts are no habit."""
LOSSY = 0.6
"""A rate above this share of what was asked for may also be that of a link that loses samples, which nothing counts."""
HOLEY = 0.05
"""Allowed excess of the coverage over the share of samples that came: the two rest on different seconds."""
NOT_FINITE = 0.05
"""Share of samples without a value that explains why no window comes."""
WINDOWS_LATE = 1.25
"""Window lengths after which windows are missed; never less than ``LEAST_S``."""

_NEARER = "bring the receiver closer, with nothing between it and the sensor"
_LATE = "predictions are late by this much: send smaller packets"


def check_refused(e: Evidence) -> Finding | None:
    """The stream cannot be served; its samples are counted and all other streams go on."""
    if not e.refused:
        return None
    text, _, advice = e.refused.partition("; ")
    return problem("refused", f"the stream is refused: {text}", advice)


def check_channels(e: Evidence) -> Finding | None:
    """The sensor lacks a channel that the model reads."""
    if e.figures is None or e.spec is None or e.refused:
        return None
    try:
        e.spec.needed_from(e.figures.channels)
    except InputMismatch as error:
        text, _, advice = str(error).partition("; ")
        return problem("channels", text, advice)
    return None


def check_obedience(e: Evidence) -> Finding | None:
    """The sensor was asked for another rate than it keeps."""
    f, r = e.figures, e.reception
    if f is None or r is None or not r.asked_hz or not _is_known(e) or f.rate_hz is None:
        return None
    if abs(f.rate_hz / r.asked_hz - 1) <= RATE_TOLERANCE:
        return None
    text = f"asked for {r.asked_hz:g} Hz, measured {_hz(f.rate_hz)}: the sensor did not obey"
    advice = f"update its firmware, or ask for what it keeps: rate={f.rate_hz:.3g}"
    if LOSSY * r.asked_hz < f.rate_hz < r.asked_hz and not f.lost:
        return problem("obedience", f"{text}, or its link loses samples", f"bring the receiver closer; else {advice}")
    return problem("obedience", text, advice)


def check_rate(e: Evidence) -> Finding | None:
    """The measured rate differs from the announced one."""
    f = e.figures
    if f is None or f.rate_hz is None or not _is_known(e) or check_obedience(e) or check_slow(e) or _has_holes(e):
        return None
    off = f.rate_hz / f.announced_hz - 1
    text = f.rate_text()
    if f.is_off:
        return problem("rate", f"{text}: {off:+.0%}", "set the sensor's rate, or correct rate= in the source")
    if abs(off) > RATE_OK:
        return warning("rate", f"{text}: {off:+.1%}", "the measured rate applies if each sample has its own time")
    return None


def check_slow(e: Evidence) -> Finding | None:
    """The measured rate is below what the model bears."""
    f = e.figures
    if f is None or f.rate_hz is None or e.spec is None or e.refused or not _is_known(e) or _has_holes(e):
        return None
    bears_hz = MIN_RATE_SHARE * min(e.spec.fs_hz, e.bears_hz or e.spec.fs_hz)
    if f.rate_hz >= bears_hz * (1 - CLOCK_TOLERANCE):
        return None
    text = f"{f.rate_text()}: no motion above {f.rate_hz / 2:.3g} Hz; the model reads {e.spec.fs_hz:g} Hz"
    advice = f"sample at {MIN_RATE_SHARE * e.spec.fs_hz:g} Hz or more, or choose a model made for this rate"
    return problem("slow", text, advice)


def check_gaps(e: Evidence) -> Finding | None:
    """Samples are further apart than windows may bridge."""
    f = e.figures
    if f is None or e.spec is None or f.longest_hole_s <= e.spec.max_gap_s:
        return None
    text = f"the longest hole is {f.longest_hole_s:.2f} s; no window spans more than {e.spec.max_gap_s:g} s"
    return problem("gaps", text, _NEARER)


def check_losses(e: Evidence) -> Finding | None:
    """A counter, a sequence number or a device clock proves samples lost."""
    f = e.figures
    if f is None or f.lost_share <= LOSS_SEEN:
        return None
    text = f"{f.lost_share:.1%} of the samples were lost, {f.lost} in all"
    return problem("losses", text, _NEARER) if f.lost_share > LOSS_BAD else warning("losses", text, _NEARER)


def check_restarts(e: Evidence) -> Finding | None:
    """The stream restarts again and again."""
    f = e.figures
    if f is None or not e.live or f.epochs <= RESTARTS or f.samples / f.announced_hz / f.epochs > SHORT_EPOCH_S:
        return None
    each_s = f.samples / f.announced_hz / f.epochs
    text = f"the stream restarted {f.epochs - 1} times, every {each_s:.2g} s; no window spans a restart"
    return warning("restarts", text, _NEARER)


def check_bursts(e: Evidence) -> Finding | None:
    """Samples come in bursts with the same time."""
    f = e.figures
    if f is None or (f.burst_samples or 1) < BURST or not _is_known(e):
        return None
    text = f"{f.burst_samples} samples at a time have the same instant, so their order in time is lost"
    return warning("bursts", text, "stamp each sample in the sender, or send a stamp of the first and a rate")


def check_jitter(e: Evidence) -> Finding | None:
    """The times of the samples scatter."""
    f = e.figures
    if f is None or f.jitter_ms is None or not _is_known(e) or check_bursts(e) or check_slow(e) or _has_holes(e):
        return None
    interval_ms = 1000 / (f.rate_hz or f.announced_hz)
    if f.jitter_ms <= JITTER * interval_ms:
        return None
    text = f"intervals of {interval_ms:.1f} ms scatter: nine in ten lie within {f.jitter_ms:.1f} ms"
    advice = "the samples are stamped on arrival: stamp them in the sensor, or send them evenly"
    return warning("jitter", text, advice)


def check_order(e: Evidence) -> Finding | None:
    """Times stand still or go back."""
    f = e.figures
    if f is None or f.out_of_order <= LOSS_SEEN * f.samples or check_bursts(e) is not None:
        return None
    text = f"time stood still or went back {f.out_of_order} times"
    return problem("order", text, "sort the stamps, or let the host stamp the samples")


def check_clock(e: Evidence) -> Finding | None:
    """The stamps come from another clock than the host's."""
    f = e.figures
    if f is None or f.age_ms is None or not e.live or abs(f.age_ms) <= ANOTHER_CLOCK_S * 1000:
        return None
    side = "old" if f.age_ms > 0 else "in the future"
    text = f"samples are stamped {abs(f.age_ms) / 1000:.0f} s {side}: by another clock, so their age is not known"
    return warning("clock", text, "set the sender's clock, or let the host stamp the samples")


def check_age(e: Evidence) -> Finding | None:
    """Samples arrive late, or stamped in the future."""
    f = e.figures
    if f is None or f.age_ms is None or not e.live or check_clock(e) is not None:
        return None
    age_s = f.age_ms / 1000
    text = f"samples are {age_s * 1000:.0f} ms old on arrival"
    if age_s < -FUTURE_S:
        return warning("age", f"samples are stamped {-age_s * 1000:.0f} ms in the future", "set the sender's clock")
    if age_s > AGE_S[1]:
        return problem("age", text, f"{_LATE}, or set the sender's clock")
    if age_s > AGE_S[0]:
        return warning("age", text, _LATE)
    return None


def check_coverage(e: Evidence) -> Finding | None:
    """Much of the windows is interpolated."""
    f = e.figures
    if f is None or f.coverage is None or not COVERAGE[0] < f.coverage < COVERAGE[1] or check_slow(e) is not None:
        return None
    text = f"only {f.coverage:.0%} of the windows' samples were measured, the others are straight lines between them"
    if f.is_slow:
        text += f" ({f.rate_text()})"
    return warning("coverage", text, "raise the sensor's rate or improve the link; labels of such windows are doubtful")


def check_windows(e: Evidence) -> Finding | None:
    """Samples arrive, but no window comes of them."""
    f, spec = e.figures, e.spec
    if f is None or spec is None or not f.samples or e.refused:
        return None
    if e.windowless_s < max(LEAST_S, WINDOWS_LATE * spec.window_s):
        return None
    needs = f"a window needs {spec.window_s:g} s without a hole above {spec.max_gap_s:g} s"
    if e.signal.not_finite > NOT_FINITE:
        why = f"{e.signal.not_finite:.0%} of the samples hold NaN or infinite values"
        advice = "repair the sensor's driver"
    elif f.longest_hole_s > spec.max_gap_s:
        rate = f" at {_hz(f.rate_hz)} Hz" if f.rate_hz else ""
        why, advice = f"the samples{rate} are up to {f.longest_hole_s:.2f} s apart; {needs}", _NEARER
        if f.rate_hz and f.rate_hz < 1 / spec.max_gap_s:
            advice = f"set the sensor to {MIN_RATE_SHARE * spec.fs_hz:g} Hz or more"
    elif f.epochs > 1 and f.samples / f.announced_hz / f.epochs < spec.window_s:
        why, advice = f"the stream restarted {f.epochs - 1} times; {needs}", _NEARER
    elif f.samples / f.announced_hz < spec.window_s:
        why = f"only {f.samples / f.announced_hz:.1f} s of samples came; {needs}"
        advice = "check that the sensor runs on"
    else:
        why, advice = needs, "check the times of the samples: kinestream wear"
    return problem("windows", f"samples come, but no window for {e.windowless_s:.0f} s: {why}", advice)


def _has_holes(e: Evidence) -> bool:
    """Whether a low rate comes from holes between samples that are otherwise near enough, as after losses."""
    f = e.figures
    if f is None or not f.is_slow or f.rate_hz is None or f.coverage is None:
        return False
    needed_hz = min(f.announced_hz, e.spec.fs_hz if e.spec else f.announced_hz)
    is_reported = COVERAGE[0] < f.coverage < COVERAGE[1]
    if not is_reported or f.rate_hz / needed_hz < f.coverage - HOLEY:  # holes cost windows more than their samples
        return False
    return f.jitter_ms is None or f.jitter_ms > JITTER * 1000 / f.rate_hz


def _is_known(e: Evidence) -> bool:
    """Whether enough of the stream came to judge its times."""
    return e.figures is not None and e.figures.span_s >= LEAST_S


def _hz(rate_hz: float) -> str:
    """A rate in figures that differ where rates do: 48.5, 104, 12.5."""
    return f"{rate_hz:.3g}" if rate_hz < 999.5 else f"{rate_hz:.0f}"
