"""One session of one device, from start dialogue to stop commands: carries out what a profile's plan says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bleak.exc import BleakCharacteristicNotFoundError, BleakError

from ..profile import Await, Dialogue, Find, Periodic, Plan, Read, Step, Subscribe, Wait, Write
from .inbox import Inbox

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic

    from .inbox import Notification

_LOG = logging.getLogger(__name__)

FIRST_DATA_S = 10.0
"""How long a device that was started may take to send its first notification."""
STALE_S = 2.0
STALE_GAPS = 5.0
"""A device that sends nothing for this long, or for this many of its usual gaps, is gone, whatever the radio says."""
CHECK_S = 0.25
"""How soon at the earliest a link is looked at again."""
STOP_S = 5.0
DISCONNECT_S = 5.0
IO_S = 5.0


class _Line:
    """One connection's notifications; they go to the life that is on."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.subscribed: set[str] = set()


class Life:
    """The state of one session; the next one begins with another, so nothing old is left over.

    Args:
        number: counts the sessions of this device from 1.
        plan: what to say to it.
        inbox: where its data go.
        now_ns: the host's clock, by which arrivals are stamped.
        before: the life that this one follows on the same connection; None on a new one.
    """

    def __init__(
        self,
        number: int,
        plan: Plan,
        inbox: Inbox,
        now_ns: Callable[[], int] = time.monotonic_ns,
        before: Life | None = None,
    ) -> None:
        self.number = number
        self.plan = plan
        self.decoder = plan.decoder()
        self.received = 0
        self._inbox = inbox
        self._now_ns = now_ns
        self._last_ns = self._since_ns = time.monotonic_ns()
        self._backlog: list[Notification] | None = []
        """What came during the start dialogue; None once it is over."""
        self._asked = 0
        """Where the backlog stood at the last write: a reply comes after."""
        self._news = asyncio.Event()
        self._line = before._line if before else _Line(self)
        self._line.life = self

    async def start(self, client: BleakClient) -> None:
        """Hold the plan's start dialogue with the device; afterwards its data flow into the inbox.

        Raises:
            ConfigError: the device cannot do what was asked.
            DeviceRefused, DecodeError: it said no, or nothing sensible.
            BleakError, TimeoutError: the link failed.
        """
        await self._hold(client, self.plan.start(self.decoder))
        assert self._backlog is not None
        for notification in self._backlog:
            self._inbox.put(notification)
        self._backlog = None
        self._since_ns = time.monotonic_ns()

    async def watch(self, client: BleakClient, lost: asyncio.Event, over: Callable[[], bool] = lambda: False) -> str:
        """Stay until the link is gone or nothing comes any more; repeats the plan's periodic steps meanwhile.

        Args:
            over: whether the device is to be set up otherwise; asked now and then.
        Returns: why it ended, in words; nothing where it is over.
        """
        due_s = dict.fromkeys(self.plan.periodic, 0.0)
        while not lost.is_set():
            if over():
                return ""
            for item in [item for item, at_s in due_s.items() if at_s <= time.monotonic()]:
                if await self._repeat(client, item):
                    due_s[item] = time.monotonic() + item.every_s
                elif item.optional:
                    del due_s[item]
                else:
                    return f"it no longer takes the command to {item.step.to}"
            if self.silence_s > self.patience_s:
                return f"nothing came for {self.silence_s:.1f} s though the link seems up"
            # Not before there can be something to do: every look costs, four devices' a tenth of a percent of a core.
            pause_s = min(STALE_S, self.patience_s - self.silence_s, *(at - time.monotonic() for at in due_s.values()))
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), max(CHECK_S, pause_s))
        return "the link broke"

    async def stop(self, client: BleakClient) -> None:
        """Stop the device's streams and disconnect, as far as the link still carries it; never raises."""
        await self.quiet(client)
        try:
            async with asyncio.timeout(DISCONNECT_S):
                await client.disconnect()
        except Exception as error:
            _LOG.debug("disconnect: %s", error)

    async def quiet(self, client: BleakClient) -> None:
        """Stop the device's streams, as far as the link still carries it; never raises."""
        if client.is_connected:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._hold(client, self.plan.stop(self.decoder))
            except Exception as error:
                _LOG.debug("stop: %s", error)

    @property
    def silence_s(self) -> float:
        """Seconds since the last notification, or since the device was started."""
        return (time.monotonic_ns() - max(self._last_ns, self._since_ns)) / 1e9

    @property
    def gap_s(self) -> float:
        """Mean time between notifications; infinity before the second."""
        return (self._last_ns - self._since_ns) / 1e9 / self.received if self.received > 1 else float("inf")

    @property
    def patience_s(self) -> float:
        if any(group.on_change for group in self.decoder.groups):
            return float("inf")
        if self.received < 2:
            return FIRST_DATA_S
        return max(STALE_S, STALE_GAPS * self.gap_s)

    async def _hold(self, client: BleakClient, dialogue: Dialogue) -> None:
        answer: bytes | None = None
        with suppress(StopIteration):
            while True:
                step = next(dialogue) if answer is None else dialogue.send(answer)
                answer = await self._carry_out(client, step)

    async def _carry_out(self, client: BleakClient, step: Step) -> bytes:
        match step:
            case Subscribe(characteristic):
                await self._subscribe(client, characteristic)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Read(characteristic):
                async with asyncio.timeout(IO_S):
                    return bytes(await client.read_gatt_char(characteristic))
            case Find(characteristic):
                there = any(one.uuid == characteristic for one in client.services.characteristics.values())
                return b"\1" if there else b""
            case Await(characteristic, prefix, to, timeout_s):
                return await self._reply(characteristic, prefix, to, timeout_s)
            case Write():
                self._asked = len(self._backlog or ())
                async with asyncio.timeout(IO_S):
                    await client.write_gatt_char(_target(client, step), step.data, response=step.with_response)
                if step.reply_on is not None and self._backlog is not None:
                    try:
                        return await self._reply(step.reply_on, step.reply_prefix, step.to, step.timeout_s)
                    except TimeoutError:
                        if not step.silence_is_fine:
                            raise
        return b""

    async def _subscribe(self, client: BleakClient, characteristic: str) -> None:
        line, now_ns, put = self._line, self._now_ns, self._inbox.put
        if characteristic in line.subscribed:
            return

        def on_data(_: Any, data: bytearray) -> None:
            # As little as can be: the loop that runs this also serves the radio.
            life = line.life
            notification = (life, characteristic, bytes(data), now_ns())
            life._last_ns = time.monotonic_ns()
            if life._backlog is None:
                life.received += 1
                put(notification)
            else:
                life._backlog.append(notification)
                life._news.set()

        line.subscribed.add(characteristic)
        found = client.services.get_characteristic(characteristic)
        # A socket of its own has a third of the latency of a signal on the bus; indications need the bus.
        if found is not None and "indicate" not in found.properties:
            try:
                await client.start_notify(characteristic, on_data, bluez={"use_start_notify": False})
                return
            except BleakError as error:
                _LOG.debug("%s: no socket for notifications, the bus instead: %s", characteristic, error)
        await client.start_notify(characteristic, on_data)

    async def _reply(self, characteristic: str, prefix: bytes, to: str, timeout_s: float) -> bytes:
        """The first notification since the last write that is the reply; it is taken out of the data."""
        assert self._backlog is not None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for i, (_, came_on, data, _) in enumerate(self._backlog[self._asked :], self._asked):
                        if came_on == characteristic and data.startswith(prefix):
                            del self._backlog[i]
                            return data
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"no answer within {timeout_s:g} s to the command to {to}") from None

    async def _repeat(self, client: BleakClient, item: Periodic) -> bool:
        """Carry out a periodic step; False if the device does not take it."""
        try:
            data = await self._carry_out(client, item.step)
        except (BleakError, TimeoutError) as error:
            _LOG.debug("%s: %s", item.step.to, error)
            return False
        if isinstance(item.step, Read):
            self._inbox.put((self, item.step.characteristic, data, self._now_ns()))
        return True


def _target(client: BleakClient, step: Write) -> str | BleakGATTCharacteristic:
    """The characteristic to write; several services may have one of its UUID."""
    if step.service is None:
        return step.characteristic
    service = client.services.get_service(step.service)
    found = service.get_characteristic(step.characteristic) if service else None
    if found is None:
        raise BleakCharacteristicNotFoundError(step.characteristic)
    return found
