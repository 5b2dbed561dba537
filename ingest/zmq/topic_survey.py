"""A short look at all topics of the senders, when nothing comes under the topics that were subscribed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import zmq
import zmq.asyncio

SILENT_S = 3.0
"""Silence after which a survey begins."""
LASTS_S = 3.0
EVERY_S = 30.0
"""Time between surveys while the silence lasts."""
MAX_MESSAGES = 256
"""Messages after which a survey ends: a camera under another topic must not fill the network."""
QUEUE = 64


class TopicSurvey:
    """Surveys while the wanted topics are silent, on a socket of its own that subscribes to everything.

    Its own socket, because the messages of others may be of any size and number: they must not take the queue or the
    connection of the wanted ones. Where senders connect, there can only be one socket: it subscribes to everything.

    Args:
        open_socket: returns a connected SUB socket without subscriptions; None to use ``main``.
        main: the subscribed socket.
        note: called with the frames of each message that the socket of its own receives.
    """

    def __init__(
        self,
        open_socket: Callable[[], zmq.asyncio.Socket] | None,
        main: zmq.asyncio.Socket,
        note: Callable[[list[bytes]], None],
    ) -> None:
        self._open_socket, self._main, self._note = open_socket, main, note
        self._heard_s = time.monotonic()
        self._heard = asyncio.Event()

    def heard(self) -> None:
        """Record a message under a wanted topic, which ends a survey."""
        self._heard_s = time.monotonic()
        self._heard.set()

    async def run(self) -> None:
        """Survey whenever the wanted topics are silent, until cancelled."""
        while True:
            while (left_s := self._heard_s + SILENT_S - time.monotonic()) > 0:
                await asyncio.sleep(left_s)
            self._heard.clear()
            await self._survey()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), EVERY_S)

    async def _survey(self) -> None:
        if self._open_socket is None:
            self._main.setsockopt(zmq.SUBSCRIBE, b"")
            self._main.get(zmq.EVENTS)  # a waiting reader must not miss what the call found
            try:
                await asyncio.wait_for(self._heard.wait(), LASTS_S)
            except TimeoutError:
                pass
            finally:
                if not self._main.closed:
                    self._main.setsockopt(zmq.UNSUBSCRIBE, b"")
            return
        socket = self._open_socket()
        try:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            async with asyncio.timeout(LASTS_S):
                for _ in range(MAX_MESSAGES):
                    frames = await socket.recv_multipart()
                    if self._heard.is_set():
                        return
                    self._note(frames)
        except TimeoutError:
            pass
        finally:
            socket.close(linger=0)
