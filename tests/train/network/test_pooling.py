"""The fast pooling compared with torch's."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kinestream.train.network.pooling import max_pool_to_grid

sizes = st.integers(1, 14)


@settings(deadline=None)
@given(sizes, sizes, sizes, sizes, st.integers(0, 999), st.sampled_from([torch.float32, torch.bfloat16]))
def test_values_and_gradients_equal_torchs_to_the_last_bit(height, width, rows, columns, seed, dtype):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 4, (2, 3, height, width), generator=rng).to(dtype).requires_grad_()  # many ties
    want, got = F.adaptive_max_pool2d(x, (rows, columns)), max_pool_to_grid(x, (rows, columns))
    assert torch.equal(want, got)
    upstream = torch.randint(-8, 8, got.shape, generator=rng).to(dtype)
    assert torch.equal(*(torch.autograd.grad(maxima, x, upstream)[0] for maxima in (want, got)))


@pytest.mark.parametrize(("size", "grid"), [((4, 9), (6, 9)), ((25, 1), (25, 1)), ((18, 3), (5, 3))])
def test_maps_of_the_papers_networks_equal_torchs_pooling(size, grid):
    x = torch.randn(5, 7, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(max_pool_to_grid(x, grid), F.adaptive_max_pool2d(x, grid))
