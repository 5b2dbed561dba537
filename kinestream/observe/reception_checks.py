"""Checks of what arrives before it is a sample: nothing, malformed packets, other topics, sensors that do not pair.

Each check takes the evidence under one name and returns a finding, or None.
"""

from __future__ import annotations

import math

from .evidence import Evidence
from .findings import Finding, problem, warning

SILENT_S = 5.0
"""Time after which silence is reported, and samples must have come of packets."""
SOME_MALFORMED = 0.02
"""Share of malformed packets that is reported although others are read."""
APART_S = 3.0
"""Newest times further apart than this do not pair; sensors of a phone come in batches of up to two seconds."""
SLOW_SENSOR_HZ, SLOWER = 4.0, 0.25
"""A sensor below the first rate, and below this share of the fastest, is too slow to pair."""
NAMED = 6
"""Topics and sensors that a message lists at most."""
HEX_BYTES = 16


def check_silence(e: Evidence) -> Finding | None:
    """Nothing arrives at all."""
    if not e.live:
        return None
    packets = e.reception.packets + sum(e.reception.unwanted.values()) if e.reception else 0
    state = f" (link: {e.link})" if e.link else ""
    if e.samples or packets:
        if e.figures is None or e.figures.silence_s < SILENT_S or check_unpaired(e) is not None:
            return None
        text = f"nothing arrived for {e.figures.silence_s:.0f} s{state}"
        return problem("silence", text, "bring the sensor closer, or switch it on again")
    if e.since_start_s < SILENT_S:
        return None
    expected = e.reception.expected if e.reception else ""
    text = f"nothing arrived in {e.since_start_s:.0f} s{state}; waiting for {expected or 'samples'}"
    return problem("silence", text, "check that the sensor is on, in reach, and sends to this address")


def check_malformed(e: Evidence) -> Finding | None:
    """Packets arrive and are not understood."""
    r = e.reception
    if r is None or not r.malformed:
        return None
    shown = r.malformed_example[:HEX_BYTES].hex(" ")
    more = " ..." if len(r.malformed_example) > HEX_BYTES else ""
    reason = f": {r.malformed_reason}" if r.malformed_reason else ""
    example = f"; one begins with {shown}{more}{reason}" if shown else reason
    if not r.samples and r.packets in (r.malformed, r.malformed + sum(r.unwanted.values())):
        text = f"all {r.malformed} packets are malformed{example}"
        expected = f"; expected: {r.expected}" if r.expected else ""
        return problem("malformed", text + expected, "choose the profile or format that the sender uses")
    if r.malformed < SOME_MALFORMED * r.packets:
        return None
    text = f"{r.malformed} of {r.packets} packets are malformed{example}"
    return warning("malformed", text, "check the sender, and that only one sends to this address")


def check_unwanted(e: Evidence) -> Finding | None:
    """Messages arrive, but only under other topics, streams or sensors than the source reads."""
    r = e.reception
    if r is None or not r.unwanted or r.samples:
        return None
    most = sorted(r.unwanted.items(), key=lambda item: -item[1])
    names = ", ".join(f"{name or '(empty)'} ({count})" for name, count in most[:NAMED])
    others = f" and {len(most) - NAMED} more" if len(most) > NAMED else ""
    text = f"messages arrive only under {names}{others}; expected: {r.expected or 'others'}"
    return problem("topics", text, "make the sender use what is expected, or read one of these")


def check_slow_sensor(e: Evidence) -> Finding | None:
    """One of two sensors that must pair is far slower than the other, or never came."""
    r = e.reception
    if r is None or not r.unpaired:
        return None
    fastest = max(r.sensor_hz, key=lambda name: r.sensor_hz[name], default="")
    for name, rate_hz in r.sensor_hz.items():
        if rate_hz < SLOW_SENSOR_HZ and rate_hz < SLOWER * r.sensor_hz[fastest]:
            text = f"{name} comes at {rate_hz:.3g} Hz, {fastest} at {r.sensor_hz[fastest]:.3g} Hz"
            text += f", so {_share(r.unpaired, r.samples)} samples pair with nothing"
            advice = f"set {name} to the same rate in the app or device, or switch it off and use a model without it"
            return problem("slow_sensor", text, advice)
    came = [name for name, time_s in r.newest_s.items() if math.isfinite(time_s)]
    if came and (len(came) < len(r.newest_s) or len(came) == 1) and not r.samples:
        others = [name for name in r.newest_s if name not in came]
        text = f"only {', '.join(came)} comes" + (f", and no {' or '.join(others)}" if others else "")
        advice = "switch the other sensor on in the app or device, or use a model that reads this one alone"
        return problem("slow_sensor", f"{text}, so {_share(r.unpaired, 0)} samples pair with nothing", advice)
    return None


def check_unpaired(e: Evidence) -> Finding | None:
    """The sensors of one device do not have the same times."""
    r = e.reception
    is_silent = e.figures is not None and e.figures.silence_s > APART_S  # all wait for the sensor that is missing
    if r is None or not (r.unpaired or is_silent) or check_slow_sensor(e) is not None:
        return None
    times = dict(sorted(r.newest_s.items(), key=lambda item: item[1]))
    values = [time_s for time_s in times.values() if math.isfinite(time_s)]
    is_apart = bool(values) and values[-1] - values[0] > APART_S
    if r.unpaired <= r.samples and not is_apart:
        return None
    newest = ", ".join(f"{name} {f'{at_s:.2f} s' if math.isfinite(at_s) else 'none'}" for name, at_s in times.items())
    newest = f"the newest times are {newest or 'unknown'}"
    text = f"{_share(r.unpaired, r.samples)} samples pair with nothing; {newest}" if r.unpaired else newest
    if is_apart and r.samples:
        late = next(name for name, time_s in times.items() if math.isfinite(time_s))
        text = f"{late} stopped {values[-1] - values[0]:.1f} s ago, or its clock stepped back: {text}"
        return problem("unpaired", text, f"switch {late} on again in the app or device, or use a model without it")
    if is_apart:
        text += f", {values[-1] - values[0]:.1f} s apart"
    return problem("unpaired", text, "stamp both sensors by the same clock; restart the app or device")


def _share(unpaired: int, samples: int) -> str:
    return f"all {unpaired}" if not samples else f"{unpaired} of {unpaired + samples}"


def check_unread(e: Evidence) -> Finding | None:
    """Packets arrive, and for none of the reasons above they give no sample."""
    r = e.reception
    if r is None or r.samples or not r.packets or e.since_start_s < SILENT_S:
        return None
    if any(check(e) for check in (check_malformed, check_unwanted, check_slow_sensor, check_unpaired)):
        return None
    waiting = f"; waiting for {r.expected}" if r.expected else ""
    text = f"{r.packets} packets arrived and gave no sample{waiting}"
    return problem("unread", text, "check that the sensor's motion stream is on")


def check_remarks(e: Evidence) -> Finding | None:
    """What the source assumed or repaired by itself."""
    if e.reception is None or not e.reception.remarks:
        return None
    return warning("source", "; ".join(e.reception.remarks), "")
