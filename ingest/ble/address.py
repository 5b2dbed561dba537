"""Parsing of ``ble://...`` addresses: the requested devices and their settings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from urllib.parse import parse_qs, unquote

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError
from kinestream.core.uri import split_uri

from ..devices import find_profile, profiles
from ..profile import Advertisement, Profile, Settings

_KEYS = {"rate": "rate_hz", "range": "acc_range_g", "gyro_range": "gyro_range_dps", "gyro": "gyro", "mag": "mag"}
_OTHER_KEYS = ("profile", "adapter", "wait")
_YES, _NO = ("1", "yes", "on", "true"), ("0", "no", "off", "false")


@dataclass(frozen=True, slots=True)
class Target:
    """One requested device."""

    text: str
    """As written in the address."""
    profile: Profile | None
    """The kind of device; None: recognised by its advertisement."""
    by_profile: bool
    """Any device of the profile matches."""

    def accepts(self, advertisement: Advertisement, address: str, profile: Profile | None) -> bool:
        """Whether a device with this advertisement and address, recognised as ``profile``, matches."""
        if self.by_profile and self.profile is not None:
            if self.profile in profiles():
                return profile is self.profile
            return self.profile.signature.match(advertisement) > 0  # the user's own profile is not in the registry
        name, wanted = advertisement.name, self.text.casefold()
        return wanted == address.casefold() or (name is not None and name.casefold().startswith(wanted))


@dataclass(frozen=True, slots=True)
class BleAddress:
    """A parsed ``ble://A,B?rate=50``.

    >>> address = BleAddress.parse("ble://polar,Left wrist?rate=52&gyro=no")
    >>> [target.text for target in address.targets]
    ['polar', 'Left wrist']
    >>> address.settings.rate_hz, address.settings.gyro
    (52.0, False)
    """

    targets: tuple[Target, ...]
    settings: Settings
    adapter: str | None = None
    """The Bluetooth adapter on Linux, e.g. ``hci1``; None: the default."""
    wait_s: float = 30.0
    """Search time for a device before the first connection."""

    @classmethod
    def parse(cls, uri: str) -> BleAddress:
        """Parse ``ble://DEVICE[,DEVICE...][?key=value&...]``; DEVICE is a profile, a name's beginning, or an address.

        Raises:
            ConfigError: no device is named, a key or value is unknown, or a device is given two profiles.
        """
        parts = split_uri(uri)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        known = (*_KEYS, *_OTHER_KEYS)
        for key in query:
            if key not in known:
                raise ConfigError(f"{uri}: {unknown('setting', key, known, 0.6)}")
        default_profile = _find_profile(query["profile"]) if "profile" in query else None
        device_names = [unquote(text).strip() for text in (parts.netloc + parts.path).split(",")]
        device_names = [text for text in device_names if text]
        if not device_names and not default_profile:
            raise ConfigError(
                f"{uri} names no device; write ble://polar (any of that kind), ble://NAME or ble://ADDRESS; "
                "kinestream scan lists devices in range"
            )
        settings = {field: _value(uri, key, query[key]) for key, field in _KEYS.items() if key in query}
        assert set(settings) <= {field.name for field in fields(Settings)}
        targets = [_target(uri, text, default_profile) for text in device_names] or [
            Target(query["profile"], default_profile, by_profile=True)
        ]
        return cls(
            tuple(targets),
            Settings(**settings),  # pyright: ignore[reportArgumentType]
            query.get("adapter"),
            _positive(uri, "wait", query.get("wait", "30")),
        )


def _find_profile(text: str) -> Profile:
    """The profile of a known device, or the one described in a TOML file."""
    return find_profile(text if ":" in text or not text.endswith(".toml") else f"generic:{text}")


def _target(uri: str, text: str, default_profile: Profile | None) -> Target:
    profile = next((known for known in profiles() if known.name == text.lower()), None)
    if text.lower().startswith("generic:"):
        profile = find_profile(text)
    if profile is None:
        return Target(text, default_profile, by_profile=False)
    if default_profile is not None and default_profile != profile:
        raise ConfigError(
            f"{uri}: '{text}' and profile={default_profile.name} name two different kinds of device; leave one out"
        )
    return Target(text, profile, by_profile=True)


def _value(uri: str, key: str, text: str) -> float | bool:
    if key not in ("gyro", "mag"):
        return _positive(uri, key, text)
    if text.lower() in (*_YES, *_NO):
        return text.lower() in _YES
    raise ConfigError(f"{uri}: {key}={text}; expected yes or no")


def _positive(uri: str, key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{uri}: {key}={text}; expected a positive number")
    return value
