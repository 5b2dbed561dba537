"""Memory is asked for before it is taken."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from kinestream.core.errors import NotEnoughMemory
from kinestream.core.memory import available_bytes, ran_out_of_memory, require_memory
from kinestream.core.signals import UNLABELLED
from kinestream.train import load_recipe
from kinestream.train.data.windows import load_windows, most_windows
from kinestream.train.fit.memory import training_bytes

from ..made_up import LABELS, dataset, recording, small_recipe


def test_what_fits_is_let_through_and_what_does_not_is_refused():
    require_memory(1, "a byte", "")
    with pytest.raises(
        NotEnoughMemory, match=r"a lot: \d+\.\d+ GB of memory are needed, \d+\.\d+ GB are available; ask"
    ):
        require_memory(2 * available_bytes(), "a lot", "ask for less")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are Linux's")
def test_the_limit_of_the_process_itself_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from kinestream.core.memory import available_bytes; print(available_bytes())"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert 0 < int(done.stdout) < 2 << 30


@pytest.mark.parametrize("hop", [7, 64])
def test_as_many_windows_are_foreseen_as_are_cut(hop):
    recipe = small_recipe()
    cut = load_windows(dataset(2), recipe, ["0", "1"], hop=hop)
    foreseen = most_windows(recording("0"), recipe.input, hop) + most_windows(recording("1"), recipe.input, hop)
    for code, label in enumerate(LABELS):
        assert int((cut.labels == code).sum()) <= foreseen[label] <= int((cut.labels == code).sum()) + 2


def test_what_nobody_labelled_is_not_foreseen():
    bare = recording("1")
    bare.labels[:] = UNLABELLED
    assert not most_windows(bare, small_recipe().input, 64)


def test_windows_that_would_not_fit_are_refused_before_they_are_cut(monkeypatch):
    monkeypatch.setattr("kinestream.core.memory.available_bytes", lambda: 100_000)
    with pytest.raises(NotEnoughMemory, match=r"windows or more of made_up.*raise train_hop in \[data\]"):
        load_windows(dataset(2), small_recipe(), ["0", "1"], hop=1)


def test_a_larger_batch_and_a_larger_network_need_more():
    small, large = small_recipe(batch_size=16), small_recipe(batch_size=4096, statistics_windows=16)
    assert training_bytes(small, 5000, 100) < training_bytes(large, 5000, 100)
    resnet = replace(small, network=load_recipe("resnet_uci").network)
    assert training_bytes(small, 5000, 100) < training_bytes(resnet, 5000, 100)


@pytest.mark.parametrize("take", [lambda: torch.empty(1 << 55), lambda: bytearray(1 << 60)], ids=["torch", "Python"])
def test_memory_that_is_refused_is_told_from_other_errors(take):
    with pytest.raises((MemoryError, RuntimeError)) as refused:
        take()
    assert ran_out_of_memory(refused.value)
    with pytest.raises(RuntimeError) as other:
        torch.matmul(torch.ones(2, 3), torch.ones(2, 3))
    assert not ran_out_of_memory(other.value)
