"""Reads the socket on which BlueZ delivers a characteristic's notifications, many at a time.

Waking the event loop for each notification costs more than everything else that is done with it. The kernel stamps
each one as it arrives (``SO_TIMESTAMPNS``), so its time does not depend on when it is read. Linux only.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic

_SO_TIMESTAMPNS = 35
"""Python's ``socket`` lacks this name."""
_STAMP = struct.Struct("@ll")
"""Seconds and nanoseconds of the wall clock."""
_CONTROL_BYTES = 64
_MOST_BYTES = 1024


class NotifySocket:
    """The notifications of one characteristic. bluetoothd holds about 270 of them, then drops further ones.

    Args:
        descriptor: an open SEQPACKET socket; owned from now on.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._newest_ns = time.monotonic_ns()

    def read(self) -> list[tuple[int, bytes]]:
        """The notifications that wait, oldest first, each with its arrival time on ``time.monotonic_ns``."""
        notifications: list[tuple[int, bytes]] = []
        receive, newest_ns = self._socket.recvmsg, self._newest_ns
        now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        try:
            while True:
                data, control, _, _ = receive(_MOST_BYTES, _CONTROL_BYTES)
                if control:
                    seconds, nanoseconds = _STAMP.unpack(control[0][2])
                    arrived_ns = now_ns - (wall_ns - seconds * 1_000_000_000 - nanoseconds)
                elif data:
                    arrived_ns = now_ns
                else:  # the other end is closed; an empty notification has a stamp
                    break
                # The wall clock may be set between the stamp and now.
                newest_ns = max(newest_ns, min(arrived_ns, now_ns))
                notifications.append((newest_ns, data))
        except OSError:  # nothing waits, or the socket failed; a silent link is noticed elsewhere
            pass
        self._newest_ns = newest_ns
        return notifications

    def close(self) -> None:
        self._socket.close()


@cache
def stamps_arrivals() -> bool:
    """Whether this system stamps the packets of such sockets; if not, they must be read as they arrive."""
    try:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with near, far:
            far.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            near.send(b"?")
            (control,) = far.recvmsg(1, _CONTROL_BYTES)[1]
            return len(control[2]) == _STAMP.size
    except (AttributeError, OSError, ValueError):
        return False


def take_socket(client: BleakClient, characteristic: BleakGATTCharacteristic) -> NotifySocket | None:
    """Take the socket of a characteristic from bleak, which reads each notification by itself and closes the socket
    only when it reads the end.

    bleak has no public way to it; None if this version keeps its sockets elsewhere, and then goes on reading.
    """
    descriptors = getattr(getattr(client, "_backend", None), "_notification_fds", None)
    if not isinstance(descriptors, dict) or not stamps_arrivals():
        return None
    descriptor = descriptors.pop(characteristic.obj[0], None)
    if descriptor is None:
        return None
    asyncio.get_running_loop().remove_reader(descriptor)
    return NotifySocket(descriptor)
