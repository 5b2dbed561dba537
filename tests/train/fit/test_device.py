"""The choice of device and number type, and helpful errors for a wrong choice."""

import pytest
import torch

from kinestream.core.errors import ConfigError
from kinestream.core.memory import available_bytes
from kinestream.train.fit.device import PROCESSOR, choose_device, device_name, free_bytes, number_type

GPUS = torch.cuda.device_count()


def test_the_default_device_is_a_gpu_if_there_is_one():
    assert choose_device().type == ("cuda" if GPUS else "cpu")


def test_the_processor_can_always_be_chosen():
    assert choose_device("cpu") == PROCESSOR
    assert device_name(PROCESSOR) == "cpu"
    assert free_bytes(PROCESSOR) == pytest.approx(available_bytes(), rel=0.2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "device 'gpu' is unknown; choose cpu, cuda"),
        ("mps", "device 'mps' is untested"),
        (f"cuda:{GPUS}", "numbered from 0" if GPUS else "sees no GPU here; leave out --device"),
    ],
)
def test_a_missing_device_is_refused(name: str, message: str):
    with pytest.raises(ConfigError, match=message):
        choose_device(name)


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)],
)
def test_a_processor_without_bfloat16_computes_in_float32(capabilities, dtype, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert number_type("bfloat16", PROCESSOR) == dtype
    assert number_type("float32", PROCESSOR) == torch.float32


def test_an_old_torch_without_capabilities_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert number_type("bfloat16", PROCESSOR) == torch.float32
