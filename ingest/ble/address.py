"""What a person means by ``ble://...``: which devices, and how they are to be set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from urllib.parse import parse_qs, unquote, urlsplit

from kinestream.core.did_you_mean import unknown
from kinestream.core.errors import ConfigError

from ..devices import find_profile, profiles
from ..profile import Advertisement, Profile, Settings

_KEYS = {"rate": "rate_hz", "range": "acc_range_g", "gyro_range": "gyro_range_dps", "gyro": "gyro", "mag": "mag"}
_OTHER_KEYS = ("profile", "adapter", "wait")
_YES, _NO = ("1", "yes", "on", "true"), ("0", "no", "off", "false")


@dataclass(frozen=True, slots=True)
class Target:
    """One device that is wanted."""

    text: str
    """As the person wrote it."""
    profile: Profile | None
    """The kind of device; None: what its advertisement says."""
    by_profile: bool
    """Any device of the profile will do."""

    def accepts(self, advertisement: Advertisement, address: str, profile: Profile | None) -> bool:
        """Whether a device that advertises so, and is recognised as ``profile``, is the one."""
        if self.by_profile and self.profile is not None:
            if self.profile in profiles():
                return profile is self.profile
            return self.profile.signature.match(advertisement) > 0  # of one's own description nobody else knows
        name, wanted = advertisement.name, self.text.casefold()
        return wanted == address.casefold() or (name is not None and name.casefold().startswith(wanted))


@dataclass(frozen=True, slots=True)
class BleAddress:
    """A parsed ``ble://A,B?rate=50``."""

    targets: tuple[Target, ...]
    settings: Settings
    adapter: str | None = None
    """Of several adapters on Linux, e.g. ``hci1``."""
    wait_s: float = 30.0
    """How long to look for a device before the first connection."""

    @classmethod
    def parse(cls, uri: str) -> BleAddress:
        """Read ``ble://WHAT[,WHAT...][?key=value&...]``; WHAT is a profile, the beginning of a name, or an address.

        Raises:
            ConfigError: nothing is named, a key or value is unknown, or a device is said to be of two kinds.
        """
        parts = urlsplit(uri)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        known = (*_KEYS, *_OTHER_KEYS)
        for key in query:
            if key not in known:
                raise ConfigError(f"{uri}: {unknown('setting', key, known, 0.6)}")
        named = _profile(query["profile"]) if "profile" in query else None
        texts = [unquote(text).strip() for text in (parts.netloc + parts.path).split(",")]
        texts = [text for text in texts if text]
        if not texts and not named:
            raise ConfigError(
                f"{uri} names no device; write ble://polar (any of a kind), ble://NAME or ble://ADDRESS; "
                "kinestream scan shows what is near"
            )
        settings = {field: _value(uri, key, query[key]) for key, field in _KEYS.items() if key in query}
        assert set(settings) <= {field.name for field in fields(Settings)}
        targets = [_target(uri, text, named) for text in texts] or [Target(query["profile"], named, by_profile=True)]
        return cls(
            tuple(targets),
            Settings(**settings),  # pyright: ignore[reportArgumentType]
            query.get("adapter"),
            _positive(uri, "wait", query.get("wait", "30")),
        )


def _profile(text: str) -> Profile:
    """A known kind of device, or one that a TOML file describes."""
    return find_profile(text if ":" in text or not text.endswith(".toml") else f"generic:{text}")


def _target(uri: str, text: str, named: Profile | None) -> Target:
    own = next((profile for profile in profiles() if profile.name == text.lower()), None)
    if text.lower().startswith("generic:"):
        own = find_profile(text)
    if own is None:
        return Target(text, named, by_profile=False)
    if named is not None and named != own:
        raise ConfigError(f"{uri}: '{text}' is one kind of device, profile={named.name} another; leave one out")
    return Target(text, own, by_profile=True)


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
