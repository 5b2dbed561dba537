"""Devices that take another rate than the one they are asked for, over a real D-Bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from kinestream.core.signals import ACC, SampleChunk, Sensing
from kinestream.ingest.ble import link as link_module
from kinestream.ingest.ble.source import BleSource
from tests.ble.sensors import Bangle, MicroBit, PineTime

from .test_source import FIRST, done, epochs, read, samples

if TYPE_CHECKING:
    from tests.ble.bluez import BlueZ


def rate_hz(chunks: list[SampleChunk]) -> float:
    """The samples per second of the arrivals, without the first chunk."""
    return samples(chunks[1:]) / (chunks[-1].received_s - chunks[0].received_s)


@pytest.mark.parametrize(
    ("asked_hz", "announced_hz", "true_hz", "remarks"),
    [
        (12.5, 10.0, 10.0, ("asked for 12.5 Hz, it answered 10 Hz",)),
        (10.0, 10.0, 10.0, ()),
        (500.0, 500.0, 400.0, ()),
    ],
)
def test_a_microbit_is_read_at_the_period_that_it_took(
    bluez: BlueZ, asked_hz: float, announced_hz: float, true_hz: float, remarks: tuple[str, ...]
) -> None:
    bluez.add(MicroBit(FIRST))
    source = BleSource(f"ble://microbit?rate={asked_hz:g}")
    chunks = read(source, (lambda c: samples(c) > true_hz, done))
    (reception,) = source.receptions()
    assert (reception.asked_hz, reception.remarks) == (asked_hz, remarks)
    assert {chunk.fs_hz for chunk in chunks} == {announced_hz}
    assert rate_hz(chunks) == pytest.approx(true_hz, rel=0.25)


class FirstMicroBit(MicroBit):
    """The first version has no period between 20 and 80 ms."""

    PERIODS_MS = (1, 2, 5, 10, 20, 80, 160, 640)


def test_a_device_slower_than_a_policy_needs_keeps_its_own_rate(bluez: BlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "STEADY_S", 0.0)
    bit = FirstMicroBit(FIRST)
    bluez.add(bit)
    source = BleSource("ble://microbit")
    chunks = read(
        source,
        (lambda c: samples(c) > 30, lambda: source.sense(bit.name, Sensing(25.0))),
        (lambda c: len(epochs(c)) == 2 and samples(c) > 60, done),
    )
    assert {chunk.fs_hz for chunk in chunks} == {50.0}
    assert source.counts()["failed_attempts"] == 1


def test_a_pinetime_arrives_in_the_right_handed_axes_of_its_chip(bluez: BlueZ) -> None:
    watch = PineTime(FIRST)
    bluez.add(watch)
    chunks = read(BleSource("ble://infinitime"), (lambda c: samples(c) >= 10, done))
    assert chunks[0].channels == ACC
    x = np.concatenate([chunk.x for chunk in chunks])[:10]
    twin = PineTime(FIRST)
    chip = np.array([next(twin._motion)[:3] for _ in range(10)])
    np.testing.assert_allclose(x, chip, atol=0.01)


def test_a_bangle_sets_its_chip_s_rate_and_restores_it(bluez: BlueZ) -> None:
    bangle = Bangle(FIRST)
    bluez.add(bangle)
    source = BleSource("ble://nus?rate=50")
    chunks = read(source, (lambda c: samples(c) > 60, done))
    assert source.receptions()[0].asked_hz == 50
    assert rate_hz(chunks) == pytest.approx(50, rel=0.25)
    assert "Bangle.accelWr(0x1B,ksf.o)" in bangle.programs[-1]
    assert not bangle.streaming


def test_a_bangle_that_keeps_its_rate_shows_what_it_was_asked_for(bluez: BlueZ) -> None:
    bluez.add(Bangle(FIRST, obeys=False))
    source = BleSource("ble://nus?rate=50")
    chunks = read(source, (lambda c: samples(c) > 20, done))
    assert source.receptions()[0].asked_hz == 50
    assert rate_hz(chunks) == pytest.approx(12.5, rel=0.25)
