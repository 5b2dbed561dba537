"""Gradients and losses of one collaborative step, compared with explicit formulas."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinestream.core.signals import Subnet
from kinestream.inference.presets import PRESETS, RESOLUTIONS, WIDTHS
from kinestream.train import load_recipe, recipe_names
from kinestream.train.fit.collaborative import draw_students, summed_gradients
from kinestream.train.fit.distillation import DIVERGENCES, kl_divergence
from kinestream.train.network import batch_statistics
from kinestream.train.network.switchable import SwitchableNet
from kinestream.train.recipe.recipe_toml import OVERLAYS

FULL = Subnet(1.0, 128)
STUDENTS = [Subnet(0.1, 96), Subnet(1.0, 112), Subnet(0.45, 128)]


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(3)
    return torch.randn(16, 128, 9, generator=rng), torch.randint(0, 6, (16,), generator=rng)


def new_net() -> SwitchableNet:
    torch.manual_seed(0)
    return SwitchableNet(PRESETS["uci"]).train()


def test_the_gradient_equals_that_of_the_summed_losses(batch):
    x, labels = batch
    net, other = new_net(), new_net()
    teacher_loss, student_loss = summed_gradients(net, x, labels, FULL, STUDENTS)
    logits = other(x, FULL)
    loss = F.cross_entropy(logits, labels)
    teacher = F.softmax(logits.detach(), dim=1)
    student_losses = []
    for student in STUDENTS:
        log_probs = F.log_softmax(other(x, student), dim=1)
        divergence = (teacher * (teacher.log() - log_probs)).sum(dim=1).mean()
        student_losses.append(0.5 * divergence + 0.5 * F.nll_loss(log_probs, labels))
    (loss + sum(student_losses)).backward()
    assert teacher_loss == pytest.approx(loss.item(), rel=1e-5)
    assert student_loss == pytest.approx(sum(loss.item() for loss in student_losses) / 3, rel=1e-5)
    for (name, got), want in zip(net.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(got.grad, want.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_without_students_only_the_labels_train_the_network(batch):
    x, labels = batch
    net, other = new_net(), new_net()
    summed_gradients(net, x, labels, FULL, [], label_smoothing=0.1)
    F.cross_entropy(other(x, FULL), labels, label_smoothing=0.1).backward()
    torch.testing.assert_close(net.linear.weight.grad, other.linear.weight.grad)


def test_label_smoothing_does_not_mix_class_weights(batch):
    x, labels = batch
    net, other = new_net(), new_net()
    weights = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5, 50.0])
    got, _ = summed_gradients(net, x, labels, FULL, [], label_smoothing=0.1, class_weights=weights)
    smoothed = F.one_hot(labels, 6) * 0.9 + 0.1 / 6
    window_losses = -(smoothed * F.log_softmax(other(x, FULL), dim=1)).sum(dim=1)
    want = (weights[labels] * window_losses).sum() / weights[labels].sum()
    want.backward()
    assert got == pytest.approx(want.item(), rel=1e-5)
    torch.testing.assert_close(net.linear.weight.grad, other.linear.weight.grad)


def test_the_ensemble_teaches_thin_students_and_the_full_network_teaches_wide_ones(batch):
    x, labels = batch
    net, other = new_net(), new_net()
    summed_gradients(net, x, labels, FULL, STUDENTS, distillation=1.0, ensemble=True)
    thin, wide, middle = (other(x, student) for student in STUDENTS)
    full = other(x, FULL)
    both = ((full + wide) / 2).detach().softmax(dim=1)
    loss = F.cross_entropy(full, labels) + kl_divergence(full.detach().softmax(dim=1), wide)
    (loss + kl_divergence(both, thin) + kl_divergence(both, middle)).backward()
    for (name, got), want in zip(net.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(got.grad, want.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_class_weights_apply_to_the_label_loss_of_teacher_and_students(batch):
    x, labels = batch
    net, other = new_net(), new_net()
    weights = torch.tensor([0.0, 1.0, 2.0, 1.0, 1.0, 3.0])
    summed_gradients(net, x, labels, FULL, STUDENTS[:1], distillation=0.0, class_weights=weights)
    for subnet in (FULL, STUDENTS[0]):
        F.cross_entropy(other(x, subnet), labels, weights).backward()
    torch.testing.assert_close(net.linear.weight.grad, other.linear.weight.grad)


def test_two_passes_leave_one_random_student():
    rng = np.random.default_rng(0)
    steps = [draw_students(rng, 2, WIDTHS, RESOLUTIONS["uci"]) for _ in range(400)]
    assert {len(students) for students in steps} == {1}
    assert {students[0].width for students in steps} == set(WIDTHS)


def test_bfloat16_gives_nearly_the_gradient_of_float32(batch):
    x, labels = batch
    net, other = new_net(), new_net()
    summed_gradients(net, x, labels, FULL, STUDENTS, dtype=torch.bfloat16)
    summed_gradients(other, x, labels, FULL, STUDENTS)
    half, single = net.linear.weight.grad, other.linear.weight.grad
    assert half is not None
    assert single is not None
    assert half.dtype == torch.float32
    assert F.cosine_similarity(half.flatten(), single.flatten(), dim=0) > 0.99


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("divergence", DIVERGENCES.values())
@pytest.mark.parametrize("name", ["uci", "resnet_uci", "kinet_uci"])
def test_all_passes_stay_on_the_device_of_the_windows(name, divergence, ensemble):
    # Stands in for a GPU: torch's device without memory also refuses operations with tensors on another device.
    net = SwitchableNet(PRESETS[name]).to("meta").train()
    x, labels = torch.empty(8, 128, 9, device="meta"), torch.zeros(8, dtype=torch.int64, device="meta")
    weights = torch.ones(6, device="meta")
    options = {"divergence": divergence, "ensemble": ensemble, "label_smoothing": 0.1, "class_weights": weights}
    losses = summed_gradients(net, x, labels, FULL, STUDENTS, **options)
    batch_statistics.record(net, x, [FULL])
    assert {loss.device.type for loss in losses} == {"meta"}
    assert {parameter.grad.device.type for parameter in net.parameters()} == {"meta"}
    assert {moment.device.type for norm in net.norms().values() for moment in norm.moments[FULL]} == {"meta"}


@pytest.mark.parametrize("passes", [3, 4, 9])
def test_each_step_trains_the_thinnest_the_widest_and_random_students(passes):
    rng = np.random.default_rng(0)
    for _ in range(50):
        students = draw_students(rng, passes, WIDTHS, RESOLUTIONS["uci"])
        assert len(students) == passes - 1
        assert [s.width for s in students[:2]] == [0.1, 1.0]
        assert {s.width for s in students} <= set(WIDTHS)
        assert {s.resolution for s in students} <= set(RESOLUTIONS["uci"])


def test_every_width_and_length_is_drawn_over_many_steps():
    rng = np.random.default_rng(0)
    students = [s for _ in range(200) for s in draw_students(rng, 9, WIDTHS, RESOLUTIONS["uci"])]
    assert {s.width for s in students} == set(WIDTHS)
    assert {s.resolution for s in students} == set(RESOLUTIONS["uci"])


@pytest.mark.parametrize("name", PRESETS)
def test_every_weight_of_every_preset_receives_a_gradient(name):
    arch = PRESETS[name]
    net = SwitchableNet(arch).train()
    x, labels = torch.randn(4, arch.length, arch.columns), torch.arange(4)
    summed_gradients(net, x, labels, Subnet(1.0, arch.length), [Subnet(0.1, RESOLUTIONS[name][0])])
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("name", [name for name in recipe_names() if name not in OVERLAYS])
def test_a_recipes_precision_gives_nearly_the_gradient_of_float32(name):
    recipe = load_recipe(name)
    torch.manual_seed(0)
    net = SwitchableNet(recipe.network.architecture).train()
    x = torch.randn(32, recipe.input.length, len(recipe.input.channels))
    labels = torch.arange(32) % len(recipe.data.labels)
    gradients = []
    for precision in ("float32", recipe.training.precision):
        net.zero_grad()
        summed_gradients(net, x, labels, recipe.network.full, [], dtype=getattr(torch, precision))
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in net.parameters()]))
    exact, coarse = gradients
    assert (coarse - exact).norm() < 0.1 * exact.norm()
