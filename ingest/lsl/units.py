"""Units as people write them in stream descriptions, and the quantities that they measure."""

from __future__ import annotations

import math
import re

from kinestream.core.signals import STANDARD_GRAVITY

ACCELERATION, ANGULAR_RATE, MAGNETIC_FIELD = "m/s^2", "rad/s", "uT"
"""The quantities that are read, by their SI unit."""

QUANTITY_NAMES = {
    ACCELERATION: "an acceleration",
    ANGULAR_RATE: "an angular rate",
    MAGNETIC_FIELD: "a magnetic field",
}

MAX_LENGTH = 100
"""Longest name of a unit or column that is read: the time to read one grows with its square."""
_DEG = math.pi / 180
FACTORS: dict[str, dict[str, float]] = {
    ACCELERATION: {
        **dict.fromkeys(("m/s^2", "m/s2", "m/s/s", "m*s^-2", "m*s-2", "ms^-2", "ms-2", "m/(s^2)", "m/(s*s)"), 1.0),
        **dict.fromkeys(("g", "gs", "g's", "g0", "gn", "g_n", "gravity", "gravities", "g-force"), STANDARD_GRAVITY),
        **dict.fromkeys(("mg", "milli-g", "millig", "mgs"), STANDARD_GRAVITY / 1000),
        **dict.fromkeys(("ug", "micro-g"), STANDARD_GRAVITY / 1e6),
        **dict.fromkeys(("cm/s^2", "gal"), 0.01),
        "mm/s^2": 0.001,
    },
    ANGULAR_RATE: {
        **dict.fromkeys(("rad/s", "rads/s", "rad*s^-1", "rads^-1", "rad*s-1"), 1.0),
        **dict.fromkeys(("deg/s", "degs/s", "dps", "d/s", "deg*s^-1", "degs^-1", "deg*s-1"), _DEG),
        **dict.fromkeys(("mdps", "mdeg/s"), _DEG / 1000),
        "mrad/s": 0.001,
        "rpm": 2 * math.pi / 60,
    },
    MAGNETIC_FIELD: {
        **dict.fromkeys(("ut", "microt", "utesla"), 1.0),
        **dict.fromkeys(("nt", "nanot", "ntesla"), 0.001),
        **dict.fromkeys(("mt", "millit", "mtesla"), 1000.0),
        **dict.fromkeys(("t", "tesla"), 1e6),
        **dict.fromkeys(("gauss", "gs", "g"), 100.0),
        **dict.fromkeys(("mgauss", "milligauss", "mg"), 0.1),
    },
}
"""Factors to SI, by the SI unit and the unit as ``plain`` writes it. ``g`` and ``mg`` depend on the sensor."""

SHOWN = {ACCELERATION: "m/s^2, g, mg", ANGULAR_RATE: "rad/s, dps, mdps", MAGNETIC_FIELD: "uT, mgauss, gauss"}

_OTHERS = {
    "an electric potential, such as EEG": {"v", "mv", "uv", "nv", "microv", "volt", "millivolt", "nanov", "microvolt"},
    "a temperature": {"c", "degc", "celsius", "degcelsius", "k", "kelvin", "f", "degf", "fahrenheit"},
    "a pressure": {"pa", "hpa", "kpa", "mbar", "bar"},
    "a frequency": {"hz", "khz", "bpm", "1/s"},
    "a share": {"%", "percent"},
    "a time": {"s", "ms", "us", "ns"},
    "a length": {"m", "cm", "mm"},
    "a speed": {"m/s", "km/h"},
    "an angle": {"deg", "rad"},
}
_NONE = {"", "none", "n/a", "na", "unknown", "undefined", "-", "nan", "null"}
_WORDS = (
    (r"\s+per\s+", "/"),
    (r"\bmet(er|re)s?\b", "m"),
    (r"\b(seconds?|secs?)\b", "s"),
    (r"\s*squared\b", "^2"),
    (r"(°|\bdegrees?|\bdegs?\b)", "deg"),
    (r"\bradians?\b", "rad"),
    (r"\bmicro-?(tesla|volt)s?\b", r"micro\1"),
    (r"microteslas?", "ut"),
    (r"(volt|tesla)s\b", r"\1"),
)


def plain(unit: str) -> str:
    """Return a unit in one spelling: lower case, without spaces, in symbols.

    >>> plain("Meters / second^2"), plain("m/s²"), plain("Degrees per second"), plain("µT"), plain("(g)")
    ('m/s^2', 'm/s^2', 'deg/s', 'ut', 'g')
    """
    text = unit.strip().lower()
    if len(text) > MAX_LENGTH:
        return text
    text = text.replace("²", "^2").replace("**", "^")
    text = text.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    for pattern, symbol in _WORDS:
        text = re.sub(pattern, symbol, text)
    text = re.sub(r"\s*([/*^.·⋅])\s*", r"\1", text).replace("·", "*").replace("⋅", "*").replace(".", "*")
    text = re.sub(r"\s+", "", text)
    return text[1:-1] if text[:1] + text[-1:] in ("()", "[]") else text


def quantities(unit: str) -> tuple[str, ...]:
    """Return the SI units of the quantities that a unit may measure, of those that are read.

    >>> quantities("dps"), quantities("mg"), quantities("microvolts")
    (('rad/s',), ('m/s^2', 'uT'), ())
    """
    return tuple(quantity for quantity, factors in FACTORS.items() if plain(unit) in factors)


def quantity_name(unit: str) -> str:
    """Return in words what a unit measures; empty if it is no known unit, or no unit.

    >>> quantity_name("deg/s"), quantity_name("microvolts"), quantity_name("furlong")
    ('an angular rate', 'an electric potential, such as EEG', '')
    """
    known = quantities(unit)
    if known:
        return QUANTITY_NAMES[known[0]]
    return next((name for name, units in _OTHERS.items() if plain(unit) in units), "")


def is_given(unit: str) -> bool:
    """Return whether a description's unit says anything.

    >>> is_given("N/A"), is_given("g")
    (False, True)
    """
    return unit.strip().lower() not in _NONE


def factor(quantity: str, unit: str) -> float | None:
    """Return the factor from a unit, or from a number as the factor itself, to the SI unit; None if it is neither.

    >>> factor("m/s^2", "G"), factor("m/s^2", "0.0024"), factor("m/s^2", "dps")
    (9.80665, 0.0024, None)
    """
    known = FACTORS[quantity].get(plain(unit))
    if known is not None:
        return known
    try:
        number = float(unit)
    except ValueError:
        return None
    return number if math.isfinite(number) and number != 0 else None
