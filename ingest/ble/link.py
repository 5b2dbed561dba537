"""Keeps one device connected for as long as the source lives: find, connect, start, watch, and again.

Every connection is a ``Life`` of its own. Before the first one, what goes wrong is told to the person at once;
after it, the link is sought again for ever, with a growing pause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from bleak.exc import BleakError

from kinestream.core.errors import ConfigError
from kinestream.core.signals import Sensing
from kinestream.core.source import LinkStatus

from ..profile import Profile, Settings, spared
from .address import Target
from .failure import Trouble, tell
from .inbox import Inbox
from .radio import Radio, Sighting
from .streaming import Life

if TYPE_CHECKING:
    from bleak import BleakClient

_LOG = logging.getLogger(__name__)

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Between one link and the search for the next; the last one for ever."""
SEEK_S = 30.0
"""How long one search lasts before the radio is left to other devices for a pause."""
STEADY_S = 30.0
"""A wish to sample less must stand for so long before the device hears of it: while it is told, it sends nothing."""
FIRST_ATTEMPTS = 3
"""So often a device that was found may fail to start before a person is told; later it is tried for ever."""
NAMED = 8
"""How many of the devices seen a message names."""


class _Setback(Exception):
    """An attempt that failed."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(trouble.message)


class Link:
    """One device that is wanted.

    Args:
        target: which.
        settings: how it is to be set.
        radio: shared by all links of a source.
        taken: the addresses that links of the source hold already; shared too.
        inbox: where its data go.
        wait_s: how long to look for it before the first connection.
        now_ns: the host's clock, by which arrivals are stamped.
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
        """``reconnects``, ``stalled`` links, ``failed_attempts``, and how often it was ``told_otherwise``."""
        self.state = "looking"
        self.battery_frac: float | None = None
        self._settings = settings
        self._radio = radio
        self._taken = taken
        self._wait_s = wait_s
        self._now_ns = now_ns
        self._sighting: Sighting | None = None
        self._life: Life | None = None
        self._lives = 0
        self._failures = 0
        self._lost = asyncio.Event()
        self._closing = False
        self._sensing: Sensing | None = None
        self._wished_s = 0.0
        self._running = settings
        self._refused: set[Settings] = set()

    @property
    def name(self) -> str:
        """Of the stream: stable over reconnects."""
        return (self._sighting and self._sighting.name) or self.target.text

    @property
    def address(self) -> str:
        return self._sighting.address if self._sighting else ""

    def status(self) -> LinkStatus:
        return LinkStatus(
            self.name,
            self.state,
            self._sighting.rssi if self._sighting else None,
            self.battery_frac,
            self.counts["reconnects"],
            self._life.silence_s if self._life and self.state == "streaming" else None,
        )

    def sense(self, sensing: Sensing | None) -> None:
        """Have the device run so, as far as it can, once the wish has stood for ``STEADY_S``; None: as it was set up.

        It is then stopped and started anew, on the same connection, which begins a new session.
        """
        if sensing != self._sensing:
            self._sensing, self._wished_s = sensing, time.monotonic()

    async def keep(self) -> None:
        """Keep the device connected until cancelled.

        Raises:
            ConfigError: the device cannot be set as asked.
            BluetoothUnavailable, DeviceRefused: there is no first connection to be had.
        """
        try:
            while not self._closing:
                try:
                    await self._once()
                except _Setback as setback:
                    trouble = setback.trouble
                    hopeless = trouble.is_final or trouble.is_radio or self._failures + 1 >= FIRST_ATTEMPTS
                    if not self._lives and hopeless:
                        raise trouble.error() from setback.__cause__
                    self._failed(trouble.message)
                await asyncio.sleep(PAUSES_S[min(self._failures, len(PAUSES_S) - 1)])
        finally:
            if self._sighting:
                self._taken.discard(self._sighting.address)

    def close(self) -> None:
        """Let ``keep`` end soon. A cancelled task alone does not do: the layers below may swallow that."""
        self._closing = True
        self._lost.set()

    async def _once(self) -> None:
        """One way from looking to losing it.

        Raises:
            ConfigError: it cannot be set as asked.
            _Setback: it could not be had; a link that was there and broke is no error.
        """
        self.state = "looking"
        try:
            sighting = await self._radio.find(self._wanted, SEEK_S if self._lives else self._wait_s)
        except Exception as error:
            raise self._told(error) from error
        if sighting is None:
            raise _Setback(Trouble(self._not_found(), is_final=True))
        self._sighting = sighting
        self._taken.add(sighting.address)
        profile = self.target.profile or sighting.profile
        if profile is None:
            raise ConfigError(
                f"{sighting} is no kind of device that is recognised; say which with ?profile=..., "
                "or describe it in a file (docs/generic_profile.md)"
            )
        self._running = self._wish(profile)
        plan = profile.plan(self._running)
        self.state = "connecting"
        self._lost = lost = asyncio.Event()
        if self._closing:
            return
        try:
            client = await self._radio.connect(sighting, lost.set)
        except Exception as error:
            raise self._told(error) from error
        life = Life(self._lives + 1, plan, self.inbox, self._now_ns)
        try:
            await self._start(life, client)
            self.counts["reconnects"] += life.number > 1
            if life.number > 1:
                _LOG.warning("%s: connected again", self.name)
            while not (
                why := await life.watch(client, lost, lambda: self._is_steady and self._wish(profile) != self._running)
            ):
                self._running = self._wish(profile)
                self.counts["told_otherwise"] += 1
                await life.quiet(client)
                life = Life(life.number + 1, profile.plan(self._running), self.inbox, self._now_ns, before=life)
                await self._start(life, client)
            if not self._closing:
                self.counts["stalled"] += not lost.is_set()
                _LOG.warning("%s: %s; looking for it again", self.name, why)
        finally:
            if not self._closing:  # else the link did not break: how it stood until then is what to tell
                self.state = "lost"
            await life.stop(client)

    async def _start(self, life: Life, client: BleakClient) -> None:
        self.state = "starting"
        try:
            await life.start(client)
        except Exception as error:
            if self._running != self._settings and not isinstance(error, BleakError):
                # It is not what a person asked for, and the pipeline can do it instead.
                self._refused.add(self._running)
                _LOG.warning("%s does not let itself be told to run at %s", self.name, self._sensing)
            elif isinstance(error, ConfigError):
                raise
            raise self._told(error) from error
        self._lives, self._life, self._failures = life.number, life, 0
        self.state = "streaming"

    @property
    def _is_steady(self) -> bool:
        return self._sensing is None or time.monotonic() - self._wished_s >= STEADY_S

    def _wish(self, profile: Profile) -> Settings:
        """The settings that come nearest to how it shall run."""
        wish = spared(profile, self._settings, self._sensing) if self._sensing else None
        return self._settings if wish is None or wish in self._refused else wish

    def _wanted(self, sighting: Sighting) -> bool:
        if self._sighting is not None:  # the very device, and not a second one of its kind
            return sighting.address == self._sighting.address
        return sighting.address not in self._taken and self.target.accepts(
            sighting.advertisement, sighting.address, sighting.profile
        )

    def _told(self, error: BaseException) -> _Setback:
        return _Setback(tell(error, str(self._sighting or self.target.text)))

    def _failed(self, why: str) -> None:
        self._failures += 1
        self.counts["failed_attempts"] += 1
        if self._failures == 1:  # the next ones are like it
            _LOG.warning("%s; trying again until it is back", why)

    def _not_found(self) -> str:
        near = sorted(self._radio.seen.values(), key=lambda one: -one.rssi)
        told = ", ".join(f"{one}{f' [{one.profile.name}]' if one.profile else ''}" for one in near[:NAMED])
        what = f"no device of the kind {self.target.text}" if self.target.by_profile else f"no '{self.target.text}'"
        return (
            f"{what} was seen in {self._wait_s:g} s ({f'near: {told}' if told else 'nothing else advertised either'}); "
            "switch it on, wear it, and disconnect it from phones and other programs"
        )
