"""Available memory is checked before it is used."""

import os
import subprocess
import sys

import pytest
import torch

from kinestream.core.errors import NotEnoughMemory
from kinestream.core.memory import available_bytes, ran_out_of_memory, require_memory


def test_a_request_that_fits_passes_and_a_larger_one_is_refused():
    require_memory(1, "a byte", "")
    with pytest.raises(
        NotEnoughMemory, match=r"a lot: \d+\.\d+ GB of memory are needed, \d+\.\d+ GB are available; ask"
    ):
        require_memory(2 * available_bytes(), "a lot", "ask for less")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_the_limit_of_the_process_itself_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from kinestream.core.memory import available_bytes; print(available_bytes())"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert 0 < int(child.stdout) < 2 << 30


@pytest.mark.parametrize(
    "allocate", [lambda: torch.empty(1 << 55), lambda: bytearray(1 << 60)], ids=["torch", "Python"]
)
def test_a_refused_allocation_is_distinguished_from_other_errors(allocate):
    with pytest.raises((MemoryError, RuntimeError)) as refused:
        allocate()
    assert ran_out_of_memory(refused.value)
    with pytest.raises(RuntimeError) as other:
        torch.matmul(torch.ones(2, 3), torch.ones(2, 3))
    assert not ran_out_of_memory(other.value)
