"""Keeps one device connected for as long as the source runs: find, connect, start, watch, repeat.

Every epoch has its own ``DeviceStream``. Failures before the first connection are reported to the user at once; later
ones lead to reconnection attempts without end, with growing pauses.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from bleak.exc import BleakError

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Sensing
from kinestream.core.source import LinkStatus

from ..profile import Profile, Settings, slower_settings
from .address import Target
from .failure import Failure, explain
from .inbox import Inbox
from .radio import Radio, Sighting
from .streaming import DeviceStream

if TYPE_CHECKING:
    from bleak import BleakClient

_LOG = logging.getLogger(__name__)

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses between attempts to connect; the last one repeats."""
SEEK_S = 30.0
"""Duration of one search, after which the radio serves other devices for a pause."""
STEADY_S = 30.0
"""Time for which a requested change must stand before the device receives it: a device sends nothing meanwhile."""
LEAST_SHARE = 0.95
"""Share of the rate that a policy requests below which an answer counts as a refusal: a policy asks for no more than it
needs."""
FIRST_ATTEMPTS = 3
"""Failed starts of a device before the first connection that end the search; after it, attempts never end."""
NAMED = 8
"""Maximum number of seen devices that a message lists."""


class _AttemptFailed(Exception):
    """An attempt that failed."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Link:
    """One requested device and its connection.

    Args:
        target: the device to find.
        settings: the requested settings.
        radio: shared by all links of a source.
        taken: the addresses that the source's links already hold; shared by them.
        inbox: receives its notifications.
        wait_s: search time before the first connection.
        now_ns: the host's clock, which stamps arrivals.
    """

    def __init__(
        self,
        target: Target,
        settings: Settings,
        radio: Radio,
        taken: set[str],
        inbox: Inbox,
        wait_s: float,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.target = target
        self.inbox = inbox
        self.counts: Counter[str] = Counter()
        """``reconnects``, ``stalled`` links, ``failed_attempts``, and ``told_otherwise``: changes of settings."""
        self.state = "looking"
        self.battery_frac: float | None = None
        self._settings = settings
        self._radio = radio
        self._taken = taken
        self._wait_s = wait_s
        self._now_ns = now_ns
        self._sighting: Sighting | None = None
        self._profile: Profile | None = None
        self._device_stream: DeviceStream | None = None
        self._newest_stream: DeviceStream | None = None  # also before it has started
        self._by_socket = True
        self._epochs = 0
        self._failures = 0
        self._lost = asyncio.Event()
        self._closing = False
        self._sensing: Sensing | None = None
        self._sensing_since_s = 0.0
        self._running = settings
        self._refused: set[Settings] = set()

    @property
    def name(self) -> str:
        """The stream's name, stable over reconnects."""
        return (self._sighting and self._sighting.name) or self.target.text

    @property
    def address(self) -> str:
        """The device's address; empty until it is found."""
        return self._sighting.address if self._sighting else ""

    def status(self) -> LinkStatus:
        """The current state of the link."""
        return LinkStatus(
            self.name,
            self.state,
            self._sighting.rssi if self._sighting else None,
            self.battery_frac,
            self.counts["reconnects"],
            self._device_stream.silence_s if self._device_stream and self.state == "streaming" else None,
        )

    def read(self) -> None:
        """Put the notifications that have arrived into the inbox."""
        if self._newest_stream:
            self._newest_stream.read()

    def sense(self, sensing: Sensing | None) -> None:
        """Request a slower sensor, as far as the device supports it; None: the original settings.

        Takes effect once the request has stood for ``STEADY_S``: the device stops and restarts on the same connection,
        which starts a new epoch.
        """
        if sensing != self._sensing:
            self._sensing, self._sensing_since_s = sensing, time.monotonic()

    @property
    def asked_hz(self) -> float | None:
        """The rate that the running device was asked for; None before it runs, or if it cannot be asked."""
        if self._device_stream is None or self._profile is None:
            return None
        if not self._profile.configurable:
            return self._device_stream.decoder.asked_hz
        return self._running.rate_hz or self._device_stream.leader_hz

    def remarks(self) -> tuple[str, ...]:
        """What the device does otherwise than asked, one line each."""
        asked_hz = self.asked_hz
        if self._device_stream is None or asked_hz is None or math.isclose(asked_hz, self._device_stream.leader_hz):
            return ()
        return (f"asked for {asked_hz:g} Hz, it answered {self._device_stream.leader_hz:g} Hz",)

    async def keep(self) -> None:
        """Keep the device connected until cancelled.

        Raises:
            ConfigError: the device does not support the requested settings.
            BluetoothUnavailable, DeviceRefused: the first connection failed.
        """
        try:
            while not self._closing:
                try:
                    await self._connect_and_stream()
                except _AttemptFailed as attempt:
                    failure = attempt.failure
                    hopeless = failure.is_final or failure.is_radio or self._failures + 1 >= FIRST_ATTEMPTS
                    if not self._epochs and hopeless:
                        raise failure.error() from attempt.__cause__
                    self._record_failure(failure.message)
                await asyncio.sleep(PAUSES_S[min(self._failures, len(PAUSES_S) - 1)])
        finally:
            if self._sighting:
                self._taken.discard(self._sighting.address)

    def close(self) -> None:
        """Make ``keep`` end soon. Cancelling its task is not enough: the layers below may swallow the cancellation."""
        self._closing = True
        self._lost.set()

    async def _connect_and_stream(self) -> None:
        """Find, connect and stream until the link ends.

        Raises:
            ConfigError: the device does not support the requested settings.
            _AttemptFailed: there was no connection; a connection that breaks later is not an error.
        """
        self.state = "looking"
        try:
            sighting = await self._radio.find(self._matches, SEEK_S if self._epochs else self._wait_s)
        except Exception as error:
            raise self._attempt_failed(error) from error
        if sighting is None:
            raise _AttemptFailed(Failure(self._not_found(), is_final=True))
        self._sighting = sighting
        self._taken.add(sighting.address)
        profile = self.target.profile or sighting.profile
        if profile is None:
            raise ConfigError(
                f"{sighting} is not a recognised kind of device; name its profile with ?profile=..., "
                "or describe it in a file (docs/generic_profile.md)"
            )
        self._profile, self._running = profile, self._current_settings(profile)
        plan = profile.plan(self._running)
        self.state = "connecting"
        self._lost = lost = asyncio.Event()
        if self._closing:
            return
        try:
            client = await self._radio.connect(sighting, lost.set)
        except Exception as error:
            raise self._attempt_failed(error) from error
        device_stream = DeviceStream(self._epochs + 1, plan, self.inbox, self._now_ns, self._by_socket)
        self._newest_stream = device_stream
        try:
            await self._start(device_stream, client)
            self.counts["reconnects"] += device_stream.number > 1
            if device_stream.number > 1:
                _LOG.warning("%s: reconnected", self.name)
            while not (
                why := await device_stream.watch(
                    client, lost, lambda: self._is_steady and self._current_settings(profile) != self._running
                )
            ):
                self._running = self._current_settings(profile)
                self.counts["told_otherwise"] += 1
                await device_stream.stop_streams(client)
                device_stream = DeviceStream(
                    device_stream.number + 1,
                    profile.plan(self._running),
                    self.inbox,
                    self._now_ns,
                    predecessor=device_stream,
                )
                self._newest_stream = device_stream
                await self._start(device_stream, client)
            if not self._closing:
                self.counts["stalled"] += not lost.is_set()
                _LOG.warning("%s: %s; reconnecting", self.name, why)
        finally:
            if not self._closing:  # on close the link did not break: keep its last state
                self.state = "lost"
            await device_stream.stop(client)
            # With BlueZ's sockets, some devices send nothing or break the link (hbldh/bleak#1885, May 2026).
            self._by_socket ^= device_stream.is_mute

    async def _start(self, device_stream: DeviceStream, client: BleakClient) -> None:
        self.state = "starting"
        try:
            requested_hz = self._running.rate_hz if self._running != self._settings else None
            await device_stream.start(client, least_hz=LEAST_SHARE * (requested_hz or 0.0))
        except Exception as error:
            if self._running != self._settings and not isinstance(error, BleakError):
                # A policy's request, not the user's: the pipeline can thin the samples instead.
                self._refused.add(self._running)
                _LOG.warning("%s refuses to run at %s; thinning its samples instead", self.name, self._sensing)
            elif isinstance(error, ConfigError):
                raise
            raise self._attempt_failed(error) from error
        self._epochs, self._device_stream, self._failures = device_stream.number, device_stream, 0
        self.state = "streaming"

    @property
    def _is_steady(self) -> bool:
        return self._sensing is None or time.monotonic() - self._sensing_since_s >= STEADY_S

    def _current_settings(self, profile: Profile) -> Settings:
        """The settings nearest to the current request that the device has not refused."""
        slower = slower_settings(profile, self._settings, self._sensing) if self._sensing else None
        return self._settings if slower is None or slower in self._refused else slower

    def _matches(self, sighting: Sighting) -> bool:
        if self._sighting is not None:  # the same device, not another one of its kind
            return sighting.address == self._sighting.address
        return sighting.address not in self._taken and self.target.accepts(
            sighting.advertisement, sighting.address, sighting.profile
        )

    def _attempt_failed(self, error: BaseException) -> _AttemptFailed:
        return _AttemptFailed(explain(error, str(self._sighting or self.target.text)))

    def _record_failure(self, why: str) -> None:
        self._failures += 1
        self.counts["failed_attempts"] += 1
        if self._failures == 1:  # later failures repeat this one
            _LOG.warning("%s; retrying until it is back", why)

    def _not_found(self) -> str:
        nearest = sorted(self._radio.seen.values(), key=lambda sighting: -sighting.rssi)
        listed = ", ".join(
            f"{sighting}{f' [{sighting.profile.name}]' if sighting.profile else ''}" for sighting in nearest[:NAMED]
        )
        device = f"{self.target.text} device" if self.target.by_profile else f"device named '{self.target.text}'"
        return (
            f"no {device} was seen in {self._wait_s:g} s ({f'seen: {listed}' if listed else 'no device advertised'}); "
            "switch it on, wear it, and disconnect it from phones and other programs"
        )
