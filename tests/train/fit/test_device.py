"""Where a network learns is chosen, or refused in words that help."""

import pytest
import torch

from kinestream.core.errors import ConfigError
from kinestream.core.memory import available_bytes
from kinestream.train.fit.device import PROCESSOR, choose_device, device_name, free_bytes, number_type

GPUS = torch.cuda.device_count()


def test_nothing_asked_means_a_gpu_if_there_is_one():
    assert choose_device().type == ("cuda" if GPUS else "cpu")


def test_the_processor_may_always_be_asked_for():
    assert choose_device("cpu") == PROCESSOR
    assert device_name(PROCESSOR) == "cpu"
    assert free_bytes(PROCESSOR) == pytest.approx(available_bytes(), rel=0.2)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("gpu", "device 'gpu' is unknown; choose cpu, cuda"),
        ("mps", "device 'mps' was never tried"),
        (f"cuda:{GPUS}", "numbered from 0" if GPUS else "sees no GPU here; leave out --device"),
    ],
)
def test_a_device_that_is_not_there_is_refused(asked: str, complaint: str):
    with pytest.raises(ConfigError, match=complaint):
        choose_device(asked)


@pytest.mark.parametrize(
    ("able", "numbers"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)],
)
def test_a_processor_without_bfloat16_computes_in_float32(able, numbers, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert number_type("bfloat16", PROCESSOR) == numbers
    assert number_type("float32", PROCESSOR) == torch.float32


def test_a_torch_that_cannot_tell_is_not_trusted_with_bfloat16(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert number_type("bfloat16", PROCESSOR) == torch.float32
