"""A scripted device: runs the steps of a dialogue and answers from a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kinestream.ingest.devices import find_profile
from kinestream.ingest.profile import Await, Decoder, Dialogue, Find, Plan, Read, Settings, Step, Subscribe, Wait, Write

Answer = bytes | list[bytes] | Callable[[bytes], bytes | list[bytes]]


@dataclass
class ScriptedDevice:
    """Answers reads by characteristic and writes by their first bytes, and records every step."""

    reads: dict[str, bytes] = field(default_factory=dict)
    answers: dict[bytes, Answer] = field(default_factory=dict)
    has: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    def run(self, dialogue: Dialogue) -> None:
        """Run the dialogue to its end, as the Bluetooth source does."""
        waiting: list[bytes] = []
        subscribed: set[str] = set()
        answer: bytes | None = None
        while True:
            try:
                step = next(dialogue) if answer is None else dialogue.send(answer)
            except StopIteration:
                return
            self.steps.append(step)
            answer = b""
            match step:
                case Subscribe(characteristic):
                    subscribed.add(characteristic)
                case Read(characteristic):
                    answer = self.reads[characteristic]
                case Find(characteristic):
                    answer = b"\1" if characteristic in self.has else b""
                case Write(reply_on=None):
                    pass
                case Write(reply_on=str(channel)):
                    assert channel in subscribed, f"awaits a reply on {channel} without having subscribed to it"
                    waiting = self._reply(step.data)
                    if waiting:
                        answer = waiting.pop(0)
                        assert answer.startswith(step.reply_prefix)
                    else:
                        assert step.reply_optional, f"no answer to {step.data.hex()}"
                case Await(prefix=prefix):
                    answer = waiting.pop(0)
                    assert answer.startswith(prefix)
                case Wait(seconds):
                    assert 0 < seconds <= 1
            if isinstance(step, Write):
                assert step.to

    def _reply(self, data: bytes) -> list[bytes]:
        for prefix, answer in self.answers.items():
            if data.startswith(prefix):
                reply = answer(data) if callable(answer) else answer
                return [reply] if isinstance(reply, bytes) else list(reply)
        return []

    @property
    def written(self) -> list[tuple[str, str]]:
        """(first group of the characteristic, bytes in hex) of each write."""
        return [(step.characteristic[:8], step.data.hex()) for step in self.steps if isinstance(step, Write)]


def run_start(name: str, device: ScriptedDevice, settings: Settings | None = None) -> tuple[Plan, Decoder]:
    """Run a profile's start dialogue with a device."""
    plan = find_profile(name).plan(settings or Settings())
    decoder = plan.decoder()
    device.run(plan.start(decoder))
    return plan, decoder


def stop_writes(plan: Plan, decoder: Decoder) -> list[tuple[str, str]]:
    """The writes of a profile's stop dialogue."""
    device = ScriptedDevice()
    device.run(plan.stop(decoder))
    return device.written
