"""One epoch of one device, from the start dialogue to the stop commands, as its profile's plan defines them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from bleak.exc import BleakCharacteristicNotFoundError, BleakError

from kinestream.core.errors import DeviceRefused

from ..join import leader
from ..profile import Await, Dialogue, Find, Periodic, Plan, Read, Step, Subscribe, Wait, Write
from .connection import Connection
from .inbox import Inbox

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic

    from .inbox import Notification

_LOG = logging.getLogger(__name__)

FIRST_DATA_S = 10.0
"""Longest wait for the first notification of a started device."""
STALE_S = 2.0
STALE_GAPS = 5.0
"""A device silent for this long, or for this many of its usual gaps, counts as disconnected even if the link is up."""
CHECK_S = 0.25
"""Shortest time between two checks of a link."""
STOP_S = 5.0
DISCONNECT_S = 5.0
IO_S = 5.0


class DeviceStream:
    """The state of one epoch of a device. Each epoch gets a new object, so no state carries over.

    Args:
        number: counts the epochs of this device from 1.
        plan: its dialogues and its decoder.
        inbox: receives its notifications.
        now_ns: the host's clock, which stamps arrivals.
        by_socket: see ``Connection``.
        predecessor: the previous device stream on the same connection; None on a new connection.
    """

    def __init__(
        self,
        number: int,
        plan: Plan,
        inbox: Inbox,
        now_ns: Callable[[], int] = time.monotonic_ns,
        by_socket: bool = True,
        predecessor: DeviceStream | None = None,
    ) -> None:
        self.number = number
        self.plan = plan
        self.decoder = plan.decoder()
        self.received = 0
        self._inbox = inbox
        self._now_ns = now_ns
        self._newest_ns = self._since_ns = time.monotonic_ns()
        self._backlog: list[Notification] | None = []
        """Notifications received during the start dialogue; None once it has ended."""
        self._reply_from = 0
        """Length of the backlog at the last write: the reply comes after it."""
        self._arrived = asyncio.Event()
        self._heard = False
        if predecessor:
            predecessor.read()
            self._connection = predecessor._connection
            self._connection.receiver = self._receive
        else:
            self._connection = Connection(self._receive, now_ns, by_socket)

    async def start(self, client: BleakClient, least_hz: float = 0.0) -> None:
        """Run the plan's start dialogue with the device; afterwards its data flow into the inbox.

        Args:
            least_hz: a rate below which the device's answer counts as a refusal.
        Raises:
            ConfigError: the device cannot run with the requested settings.
            DeviceRefused, DecodeError: it refused, or sent an invalid answer.
            BleakError, TimeoutError: the link failed.
        """
        await self._run_dialogue(client, self.plan.start(self.decoder))
        if self.leader_hz < least_hz:
            raise DeviceRefused(f"the device answered {self.leader_hz:g} Hz; expected {least_hz:g} Hz or more")
        assert self._backlog is not None
        for notification in self._backlog:
            self._inbox.put(notification)
        self._backlog = None
        self._since_ns = time.monotonic_ns()

    def read(self) -> None:
        """Take the notifications that wait in the connection's sockets."""
        self._connection.read()

    async def watch(
        self, client: BleakClient, disconnected: asyncio.Event, superseded: Callable[[], bool] = lambda: False
    ) -> str:
        """Wait until the link breaks or the device falls silent; repeat the plan's periodic steps meanwhile.

        Args:
            disconnected: set when the link ends.
            superseded: whether the device needs other settings; called regularly.
        Returns:
            Why the epoch ended, in words; empty if it is superseded.
        """
        due_s = dict.fromkeys(self.plan.periodic, 0.0)
        while not disconnected.is_set():
            if superseded():
                return ""
            for item in [item for item, at_s in due_s.items() if at_s <= time.monotonic()]:
                if await self._repeat(client, item):
                    due_s[item] = time.monotonic() + item.every_s
                elif item.optional:
                    del due_s[item]
                else:
                    return f"it no longer accepts the command to {item.step.to}"
            if self.silence_s > self.patience_s:
                return f"no data for {self.silence_s:.1f} s although the link seems up"
            # Not more often than needed: checking four devices costs a tenth of a percent of a core.
            pause_s = min(STALE_S, self.patience_s - self.silence_s, *(at - time.monotonic() for at in due_s.values()))
            with suppress(TimeoutError):
                await asyncio.wait_for(disconnected.wait(), max(CHECK_S, pause_s))
        return "the link broke"

    async def stop(self, client: BleakClient) -> None:
        """Stop the device's streams and disconnect, as far as the link still works; never raises."""
        await self.stop_streams(client)
        self._connection.close()
        try:
            async with asyncio.timeout(DISCONNECT_S):
                await client.disconnect()
        except Exception as error:
            _LOG.debug("disconnect: %s", error)

    async def stop_streams(self, client: BleakClient) -> None:
        """Stop the device's streams, as far as the link still works; never raises."""
        if client.is_connected:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._run_dialogue(client, self.plan.stop(self.decoder))
            except Exception as error:
                _LOG.debug("stop: %s", error)

    @property
    def is_mute(self) -> bool:
        """Whether not one notification has arrived."""
        return not self.received and not self._heard

    @property
    def leader_hz(self) -> float:
        """The rate that the device agreed to, of its accelerometer where several sensors have their own."""
        return leader(self.decoder.groups).fs_hz

    @property
    def silence_s(self) -> float:
        """Seconds since the newest notification, or since the device was started."""
        return (time.monotonic_ns() - max(self._newest_ns, self._since_ns)) / 1e9

    @property
    def mean_gap_s(self) -> float:
        """Mean time between notifications; infinite before the second."""
        return (self._newest_ns - self._since_ns) / 1e9 / self.received if self.received > 1 else float("inf")

    @property
    def patience_s(self) -> float:
        """Longest silence before the device counts as disconnected; infinite if it sends only changes."""
        if any(group.on_change for group in self.decoder.groups):
            return float("inf")
        if self.received < 2:
            return FIRST_DATA_S
        return max(STALE_S, STALE_GAPS * self.mean_gap_s)

    async def _run_dialogue(self, client: BleakClient, dialogue: Dialogue) -> None:
        answer: bytes | None = None
        with suppress(StopIteration):
            while True:
                step = next(dialogue) if answer is None else dialogue.send(answer)
                answer = await self._run_step(client, step)

    async def _run_step(self, client: BleakClient, step: Step) -> bytes:
        match step:
            case Subscribe(characteristic):
                await self._connection.subscribe(client, characteristic)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Read(characteristic):
                async with asyncio.timeout(IO_S):
                    return bytes(await client.read_gatt_char(characteristic))
            case Find(characteristic):
                present = any(known.uuid == characteristic for known in client.services.characteristics.values())
                return b"\1" if present else b""
            case Await(characteristic, prefix, to, timeout_s):
                return await self._reply(characteristic, prefix, to, timeout_s)
            case Write():
                self.read()
                self._reply_from = len(self._backlog or ())
                async with asyncio.timeout(IO_S):
                    await client.write_gatt_char(_target(client, step), step.data, response=step.with_response)
                if step.reply_on is not None and self._backlog is not None:
                    try:
                        return await self._reply(step.reply_on, step.reply_prefix, step.to, step.timeout_s)
                    except TimeoutError:
                        if not step.reply_optional:
                            raise
        return b""

    def _receive(self, characteristic: str, data: bytes, received_ns: int) -> None:
        notification = (self, characteristic, data, received_ns)
        self._newest_ns = time.monotonic_ns()
        if self._backlog is None:
            self.received += 1
            self._inbox.put(notification)
        else:
            self._heard = True
            self._backlog.append(notification)
            self._arrived.set()

    async def _reply(self, characteristic: str, prefix: bytes, to: str, timeout_s: float) -> bytes:
        """Wait for the reply to the last write and remove it from the data."""
        assert self._backlog is not None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for i, (_, source, data, _) in enumerate(self._backlog[self._reply_from :], self._reply_from):
                        if source == characteristic and data.startswith(prefix):
                            del self._backlog[i]
                            return data
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise TimeoutError(f"no answer to the command to {to} within {timeout_s:g} s") from None

    async def _repeat(self, client: BleakClient, item: Periodic) -> bool:
        """Run a periodic step; False if the device does not accept it."""
        try:
            data = await self._run_step(client, item.step)
        except (BleakError, TimeoutError) as error:
            _LOG.debug("%s: %s", item.step.to, error)
            return False
        if isinstance(item.step, Read):
            self._inbox.put((self, item.step.characteristic, data, self._now_ns()))
        return True


def _target(client: BleakClient, step: Write) -> str | BleakGATTCharacteristic:
    """The characteristic to write; several services may have one with its UUID."""
    if step.service is None:
        return step.characteristic
    service = client.services.get_service(step.service)
    characteristic = service.get_characteristic(step.characteristic) if service else None
    if characteristic is None:
        raise BleakCharacteristicNotFoundError(step.characteristic)
    return characteristic
