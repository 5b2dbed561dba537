"""The quick pooling against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.train.network.pooling import max_pool_to_grid

sizes = st.integers(1, 14)


@settings(deadline=None)
@given(sizes, sizes, sizes, sizes, st.integers(0, 999), st.sampled_from([torch.float32, torch.bfloat16]))
def test_values_and_gradients_are_torchs_own_to_the_last_bit(height, width, rows, columns, seed, dtype):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 4, (2, 3, height, width), generator=rng).to(dtype).requires_grad_()  # many are equal
    want, found = F.adaptive_max_pool2d(x, (rows, columns)), max_pool_to_grid(x, (rows, columns))
    assert torch.equal(want, found)
    upstream = torch.randint(-8, 8, found.shape, generator=rng).to(dtype)
    assert torch.equal(*(torch.autograd.grad(made, x, upstream)[0] for made in (want, found)))


@pytest.mark.parametrize(("size", "grid"), [((4, 9), (6, 9)), ((25, 1), (25, 1)), ((18, 3), (5, 3))])
def test_the_papers_maps_pool_to_their_grids(size, grid):
    x = torch.randn(5, 7, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(max_pool_to_grid(x, grid), F.adaptive_max_pool2d(x, grid))
