"""A link between relays and their receiver that breaks again and again, as one process."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection

import numpy as np

from tests.ingest.relay.proxy import Proxy

from .senders import Shared, Task

CUTS_PER_HOUR = 3.0
LONGEST_CUT_S = 0.3
"""Of the clock on the wall."""


def cut_links(task: Task, receiver_port: int, shared: Shared, report: Connection) -> None:
    """Forward ``task.port`` to the receiver until all senders have finished; report how often the link was cut."""
    asyncio.run(_cut_links(task, receiver_port, shared, report))


async def _cut_links(task: Task, receiver_port: int, shared: Shared, report: Connection) -> None:
    rng = np.random.default_rng([task.seed, task.index])
    end_s = 3600.0 * task.hours
    due_s = sorted(rng.uniform(10.0, 0.8 * end_s, max(1, round(CUTS_PER_HOUR * task.hours))).tolist())
    proxy = Proxy(receiver_port)
    proxy.port = task.port
    async with proxy:
        for at_s in due_s:
            while min(shared.positions_s[:]) < at_s:
                await asyncio.sleep(0.01)
            await proxy.cut()
            await asyncio.sleep(float(rng.uniform(0.0, LONGEST_CUT_S)))
            await proxy.mend()
        report.send({"cuts": len(due_s)})
        while not report.poll(0):
            await asyncio.sleep(0.1)
