"""A small ``org.bluez``: enough of the service for bleak's BlueZ backend to scan, connect, subscribe and lose a link.

It speaks D-Bus as bluetoothd does (object manager, ``Adapter1``, ``Device1``, ``GattService1``,
``GattCharacteristic1``, both ways of notification), runs in a thread with its own event loop, and injects faults:
errors on demand, dropped links, an adapter that is off or absent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.ble.peripheral import Characteristic, Fault, Faults, Peripheral

ADAPTER = "/org/bluez/hci0"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
MTU = 247
SEND_BUFFER = 16 << 20
"""Bytes: dbus-fast closes the bus when a send would block."""


class Link:
    """One peripheral on the bus: its object paths and its subscriptions."""

    def __init__(self, peripheral: Peripheral) -> None:
        self.peripheral = peripheral
        self.path = f"{ADAPTER}/dev_{peripheral.address.replace(':', '_')}"
        self.connected = False
        self.owner: str | None = None
        self.notifying: set[str] = set()
        self.acquired: dict[str, socket.socket] = {}
        self.chars: dict[str, Characteristic] = {}
        self.char_paths: dict[str, str] = {}
        self.service_paths: dict[str, str] = {}
        for i, (service, chars) in enumerate(peripheral.services.items()):
            # The same handles on every device, as with real sensors of one model.
            service_path = f"{self.path}/service{0x10 + 0x20 * i:04x}"
            self.service_paths[service_path] = service
            for k, char in enumerate(chars):
                path = f"{service_path}/char{0x11 + 0x20 * i + 2 * k:04x}"
                self.chars[path] = char
                self.char_paths[char.uuid] = path

    def interfaces(self) -> dict[str, dict[str, dict[str, Variant]]]:
        """Every object of the device, in the form of ``GetManagedObjects``."""
        objects = {self.path: {"org.bluez.Device1": self.properties()}}
        if self.connected:
            objects |= self.gatt()
        return objects

    def properties(self) -> dict[str, Variant]:
        device = self.peripheral
        return {
            "Address": Variant("s", device.address),
            "AddressType": Variant("s", "random"),
            "Name": Variant("s", device.name),
            "Alias": Variant("s", device.name),
            "Adapter": Variant("o", ADAPTER),
            "Paired": Variant("b", False),
            "Connected": Variant("b", self.connected),
            "ServicesResolved": Variant("b", self.connected),
            "UUIDs": Variant("as", list(device.advertised)),
            "RSSI": Variant("n", device.rssi),
            "ManufacturerData": Variant("a{qv}", {k: Variant("ay", data) for k, data in device.manufacturer.items()}),
        }

    def gatt(self) -> dict[str, dict[str, dict[str, Variant]]]:
        objects: dict[str, dict[str, dict[str, Variant]]] = {
            path: {
                "org.bluez.GattService1": {
                    "UUID": Variant("s", uuid),
                    "Device": Variant("o", self.path),
                    "Primary": Variant("b", True),
                }
            }
            for path, uuid in self.service_paths.items()
        }
        for path, char in self.chars.items():
            objects[path] = {
                "org.bluez.GattCharacteristic1": {
                    "UUID": Variant("s", char.uuid),
                    "Service": Variant("o", path.rsplit("/", 1)[0]),
                    "Flags": Variant("as", list(char.flags)),
                    "Value": Variant("ay", char.value),
                    "NotifyAcquired": Variant("b", False),
                    "MTU": Variant("q", MTU),
                }
            }
        return objects


class BlueZ:
    """The service. ``with BlueZ(address) as bluez: bluez.add(Peripheral(...))``; calls may come from any thread."""

    def __init__(self, address: str, *, powered: bool = True, adapter: bool = True) -> None:
        self.address = address
        self.powered = powered
        self.adapter = adapter
        self.faults = Faults()
        self.links: dict[str, Link] = {}
        self.scanning = False
        self.connects: list[str] = []
        """The addresses of all links made, in order."""
        self._written: deque[tuple[Peripheral, str, bytes]] = deque()
        self._bus: MessageBus
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="org.bluez", daemon=True)

    def __enter__(self) -> BlueZ:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def do(self, action: Callable[[], Any]) -> Any:
        """Run something in the service's loop and wait for it."""

        async def run() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def add(self, peripheral: Peripheral) -> None:
        """Make a device advertise."""
        self.do(lambda: self._add(peripheral))

    def remove(self, peripheral: Peripheral) -> None:
        """Make a device disappear: switched off, or out of range."""
        self.do(lambda: self._remove(self._link(peripheral)))

    def drop(self, peripheral: Peripheral) -> None:
        """Break the link to a device that keeps advertising."""
        self.do(lambda: self._disconnect(self._link(peripheral)))

    def fail(self, member: str, error: str, text: str = "", times: int = 1, address: str | None = None) -> None:
        """Answer the next calls of a D-Bus method with an error such as ``org.bluez.Error.InProgress``."""
        self.do(lambda: self.faults.pending.append(Fault(member, error, text, times, address)))

    def set_powered(self, on: bool) -> None:
        """Switch the adapter on or off."""

        def switch() -> None:
            self.powered = on
            if not on:
                for link in self.links.values():
                    self._disconnect(link)
            self._changed(ADAPTER, "org.bluez.Adapter1", {"Powered": Variant("b", on)})

        self.do(switch)

    # The methods below run in the service's own loop.

    async def _start(self) -> None:
        # Pass the address instead of reading it from the environment, where the tests set it for bleak.
        self._bus = MessageBus(bus_address=self.address, bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
        await self._bus.connect()
        assert self._bus._sock is not None
        self._bus._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._bus.add_message_handler(self._handle)
        await self._bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=["type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"],
            )
        )
        await self._bus.request_name("org.bluez")

    async def _stop(self) -> None:
        for link in self.links.values():
            self._disconnect(link)
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task() and not task.get_coro().__qualname__.startswith("MessageBus"):  # pyright: ignore
                task.cancel()
        self._bus.disconnect()
        with suppress(Exception):
            await self._bus.wait_for_disconnect()

    def _link(self, peripheral: Peripheral) -> Link:
        return next(link for link in self.links.values() if link.peripheral is peripheral)

    def _add(self, peripheral: Peripheral) -> None:
        link = Link(peripheral)
        self.links[link.path] = link
        peripheral.notify = lambda uuid, data: self._notify(link, uuid, data)
        peripheral.drop = lambda: self._disconnect(link)
        if self.scanning:
            self._appear(link)

    def _remove(self, link: Link) -> None:
        self._disconnect(link)
        del self.links[link.path]
        self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [link.path, ["org.bluez.Device1"]])

    def _appear(self, link: Link) -> None:
        self._signal(
            "/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [link.path, {"org.bluez.Device1": link.properties()}]
        )
        self._changed(link.path, "org.bluez.Device1", {"RSSI": Variant("n", link.peripheral.rssi)})

    def _connect(self, link: Link, owner: str) -> None:
        self.connects.append(link.peripheral.address)
        link.connected, link.owner = True, owner
        for path, interfaces in link.gatt().items():
            self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])
        up = {"Connected": Variant("b", True), "ServicesResolved": Variant("b", True)}
        self._changed(link.path, "org.bluez.Device1", up)
        link.peripheral.connected()

    def _disconnect(self, link: Link) -> None:
        if not link.connected:
            return
        link.connected, link.owner = False, None
        link.notifying.clear()
        for end in link.acquired.values():
            end.close()
        link.acquired.clear()
        link.peripheral.disconnected()
        down = {"Connected": Variant("b", False), "ServicesResolved": Variant("b", False)}
        self._changed(link.path, "org.bluez.Device1", down)
        for path, interfaces in link.gatt().items():
            self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, list(interfaces)])

    def _notify(self, link: Link, uuid: str, data: bytes) -> None:
        path = link.char_paths[uuid]
        if (end := link.acquired.get(path)) is not None:
            # The central is gone or does not read: over the air the packet would be lost too.
            with suppress(OSError):
                end.send(data)
        elif path in link.notifying:
            self._changed(path, "org.bluez.GattCharacteristic1", {"Value": Variant("ay", data)})

    def _changed(self, path: str, interface: str, values: dict[str, Variant]) -> None:
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        objects: dict[str, dict[str, dict[str, Variant]]] = {}
        if self.adapter:
            objects[ADAPTER] = {
                "org.bluez.Adapter1": {
                    "Address": Variant("s", "00:00:00:00:00:01"),
                    "Powered": Variant("b", self.powered),
                    "Discovering": Variant("b", self.scanning),
                    "Roles": Variant("as", ["central", "peripheral"]),
                }
            }
        for link in self.links.values():
            objects |= link.interfaces()
        return objects

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL:
            # bluetoothd drops a link when the program that holds it exits.
            if message.member == "NameOwnerChanged" and not message.body[2]:
                for link in self.links.values():
                    if link.owner == message.body[0]:
                        self._disconnect(link)
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        path, member = message.path or "", message.member or ""
        link = next((link for start, link in self.links.items() if path == start or path.startswith(start + "/")), None)
        if fault := self.faults.take(member, link.peripheral.address if link else None):
            return Message.new_error(message, fault.error, fault.text)
        if member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
        if path == ADAPTER:
            return self._adapter_call(message, member)
        if link is None:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", f"no object {path}")
        if path == link.path:
            return self._device_call(message, member, link)
        return self._char_call(message, member, link, path)

    def _adapter_call(self, message: Message, member: str) -> Message:
        if member == "StartDiscovery":
            if not self.powered:
                return Message.new_error(message, "org.bluez.Error.NotReady", "Resource Not Ready")
            self.scanning = True
            for link in self.links.values():
                self._appear(link)
        elif member == "StopDiscovery":
            self.scanning = False
        return Message.new_method_return(message)

    def _device_call(self, message: Message, member: str, link: Link) -> Message:
        if member == "Connect":
            if link.connected:
                return Message.new_error(message, "org.bluez.Error.AlreadyConnected", "Already Connected")
            self._connect(link, message.sender or "")
        elif member == "Disconnect":
            self._disconnect(link)
        return Message.new_method_return(message)

    def _deliver_writes(self) -> None:
        """Let the devices take the writes that were acknowledged."""
        while self._written:
            peripheral, uuid, data = self._written.popleft()
            peripheral.written(uuid, data)

    def _char_call(self, message: Message, member: str, link: Link, path: str) -> Message:
        char = link.chars.get(path)
        if char is None or not link.connected:
            return Message.new_error(message, "org.bluez.Error.Failed", "Not connected")
        if member == "ReadValue":
            self._deliver_writes()  # under load, this call can come in the same turn of the loop as the write's reply
            return Message.new_method_return(message, "ay", [char.value])
        if member == "WriteValue":
            data = bytes(message.body[0])
            link.peripheral.writes.append((char.uuid, data))
            # The device answers after the write is acknowledged.
            self._written.append((link.peripheral, char.uuid, data))
            self._loop.call_soon(self._deliver_writes)
        elif member == "StartNotify":
            link.notifying.add(path)
            self._loop.call_soon(link.peripheral.subscribed, char.uuid, True)
        elif member == "StopNotify":
            link.notifying.discard(path)
            link.peripheral.subscribed(char.uuid, False)
        elif member == "AcquireNotify":
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            ours.setblocking(False)
            link.acquired[path] = ours
            if link.peripheral.socket_breaks:
                self._loop.call_later(0.05, self._disconnect, link)
            else:
                self._loop.call_soon(link.peripheral.subscribed, char.uuid, True)
            fd = os.dup(theirs.fileno())
            theirs.close()
            self._loop.call_later(1.0, os.close, fd)
            return Message.new_method_return(message, "hq", [0, MTU], unix_fds=[fd])
        else:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", member)
        return Message.new_method_return(message)
