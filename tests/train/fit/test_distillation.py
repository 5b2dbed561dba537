"""Divergences compared with their definitions."""

import pytest
import torch
import torch.nn.functional as F

from kinestream.train.fit.distillation import ALPHAS, CLIP, DIVERGENCES, alpha_divergence, kl_divergence


def predictions(spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random teacher probabilities and student logits."""
    rng = torch.Generator().manual_seed(2)
    teacher, student = (spread * torch.randn(32, 6, generator=rng, dtype=torch.float64) for _ in range(2))
    return teacher.softmax(dim=1), student.requires_grad_()


def by_definition(teacher: torch.Tensor, logits: torch.Tensor, alpha: float) -> torch.Tensor:
    """(n,) alpha-divergence of each window without clipping; the limit at 1 is KL."""
    student = logits.softmax(dim=1)
    if alpha == 1:
        return (teacher * (teacher / student).log()).sum(dim=1)
    return ((teacher / student) ** alpha * student).sum(dim=1).sub(1) / (alpha * (alpha - 1))


def test_the_kl_divergence_matches_its_definition():
    teacher, logits = predictions()
    torch.testing.assert_close(kl_divergence(teacher, logits), by_definition(teacher, logits, 1).mean())


def test_without_clipping_the_alpha_divergence_is_the_larger_of_its_two():
    teacher, logits = predictions(spread=0.3)
    ratio = teacher / logits.detach().softmax(dim=1)
    assert max(ratio.max(), (1 / ratio).max()) < CLIP
    expected = torch.stack([by_definition(teacher, logits, alpha) for alpha in ALPHAS]).amax(dim=0).mean()
    actual = alpha_divergence(teacher, logits)
    torch.testing.assert_close(actual, expected)
    (want,) = torch.autograd.grad(expected, logits)
    (got,) = torch.autograd.grad(actual, logits)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_minimising_a_divergence_makes_the_student_predict_like_its_teacher(name):
    teacher, logits = predictions(spread=3.0)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        DIVERGENCES[name](teacher, logits).backward()
        optimizer.step()
    assert (logits.softmax(dim=1) - teacher).abs().max() < 0.02


@pytest.mark.parametrize("name", DIVERGENCES)
def test_extreme_predictions_give_finite_gradients(name):
    teacher = F.one_hot(torch.tensor([0, 1]), 3).float()
    logits = torch.tensor([[-200.0, 200.0, 0.0], [-200.0, 200.0, 0.0]], requires_grad=True)
    loss = DIVERGENCES[name](teacher, logits)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
