"""Recorded batch-norm statistics compared with those of the batch itself."""

import numpy as np
import pytest
import torch

from kinestream.core.signals import Subnet
from kinestream.inference.architecture import kept_channels
from kinestream.inference.presets import PRESETS
from kinestream.train.network import batch_statistics
from kinestream.train.network.batch_statistics import BATCH
from kinestream.train.network.moments import channel_moments
from kinestream.train.network.switchable import SwitchableNet

WINDOWS = 3 * BATCH // 2
"""Two parts, the last one smaller."""
WIDTHS, RESOLUTIONS = (0.1, 0.6, 1.0), (96, 128)
SUBNETS = [Subnet(width, resolution) for width in WIDTHS for resolution in RESOLUTIONS]


@pytest.fixture(params=["uci", "resnet_uci"])
def net(request):
    torch.manual_seed(0)
    return SwitchableNet(PRESETS[request.param])


def sample(n: int = WINDOWS) -> torch.Tensor:
    return torch.randn(n, 128, 9, generator=torch.Generator().manual_seed(5))


def test_on_the_recorded_sample_every_subnetwork_equals_training_mode(net):
    batch_statistics.record(net, sample(), SUBNETS)
    with torch.no_grad():
        for subnet in SUBNETS:
            recorded = net.eval()(sample(), subnet)
            torch.testing.assert_close(recorded, net.train()(sample(), subnet), rtol=1e-4, atol=1e-4)


def test_a_subnetworks_statistics_do_not_depend_on_the_others_recorded(net):
    batch_statistics.record(net, sample(), SUBNETS)
    together = batch_statistics.to_arrays(net, WIDTHS, RESOLUTIONS)
    batch_statistics.record(net, sample(), [SUBNETS[3]])
    alone = batch_statistics.to_arrays(net, WIDTHS, RESOLUTIONS)
    for name, array in together.items():
        assert np.array_equal(array[1, 1], alone[name][1, 1])
        assert not alone[name][0].any()


def test_statistics_survive_the_round_trip_through_arrays(net):
    batch_statistics.record(net, sample(), SUBNETS)
    arrays = batch_statistics.to_arrays(net, WIDTHS, RESOLUTIONS)
    other = SwitchableNet(net.architecture).eval()
    other.load_state_dict(net.state_dict())
    batch_statistics.from_arrays(other, arrays, WIDTHS, RESOLUTIONS)
    with torch.inference_mode():
        for subnet in SUBNETS:
            assert torch.equal(net(sample(), subnet), other(sample(), subnet))


def test_arrays_are_zero_beyond_a_widths_channels(net):
    batch_statistics.record(net, sample(), SUBNETS)
    arrays = batch_statistics.to_arrays(net, WIDTHS, RESOLUTIONS)
    for row, width in enumerate(WIDTHS):
        channels = kept_channels(net.architecture, width)[0]
        variance = next(array for name, array in arrays.items() if name.endswith("var") and "block1" in name)
        assert (variance[row, :, :channels] > 0).all()
        assert not variance[row, :, channels:].any()


def test_recording_does_not_change_the_weights(net):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    batch_statistics.record(net, sample(), SUBNETS)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("shift", [0.0, 3.0, -30.0])
def test_moments_are_as_exact_as_in_float64(shift):
    x = torch.randn(300, 4, 13, 9, generator=torch.Generator().manual_seed(0)) * 2 + shift
    mean, var = channel_moments(x.split(128))
    exact = x.double()
    assert torch.allclose(mean.double(), exact.mean(dim=(0, 2, 3)), rtol=1e-6, atol=1e-6)
    assert torch.allclose(var.double(), exact.var(dim=(0, 2, 3), correction=0), rtol=1e-4)


def test_a_constant_channel_has_no_variance():
    mean, var = channel_moments([torch.full((8, 2, 5, 3), 0.1)])
    assert torch.allclose(mean, torch.tensor(0.1))
    assert (var >= 0).all()
    assert (var < 1e-8).all()


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_moments_recorded_with_a_share_equal_those_of_the_pooled_samples(net, share):
    subnet = SUBNETS[1]
    old, new = sample(), 1.5 + 2 * sample(3 * WINDOWS)[WINDOWS:]
    batch_statistics.record(net, old, [subnet])
    batch_statistics.record(net, new, [subnet], share=share)
    first = next(iter(net.norms().values()))
    recorded = first.moments[subnet]
    pooled = torch.cat([old] * round(8 * (1 - share)) + list(new.split(WINDOWS)) * round(4 * share))
    batch_statistics.record(net, pooled, [subnet])
    for mean_or_var, exact in zip(recorded, first.moments[subnet], strict=True):
        torch.testing.assert_close(mean_or_var, exact, rtol=1e-4, atol=1e-5)


def test_recording_the_same_sample_with_a_share_keeps_a_files_statistics(net):
    batch_statistics.record(net, sample(), SUBNETS)
    arrays = batch_statistics.to_arrays(net, WIDTHS, RESOLUTIONS)
    batch_statistics.from_arrays(net, arrays, WIDTHS, RESOLUTIONS)
    batch_statistics.record(net, sample(), SUBNETS, share=0.5)
    for name, array in batch_statistics.to_arrays(net, WIDTHS, RESOLUTIONS).items():
        np.testing.assert_allclose(array, arrays[name], rtol=1e-4, atol=1e-5)
