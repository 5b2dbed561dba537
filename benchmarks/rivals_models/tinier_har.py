"""A small static rival: a network built from the published description of TinierHAR.

Source: TinierHAR (arXiv 2507.07949). The description does not state the places of batch norms and biases; those chosen
here give exactly the published 9,589 parameters at 128 x 9 samples and 6 classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TinierHar(nn.Module):
    """Depthwise-separable convolutions along time, a bidirectional GRU, attention over time, one linear layer.

    Args:
        columns: number of sensor columns. classes: number of activities.
    """

    def __init__(self, columns: int, classes: int) -> None:
        super().__init__()
        filters = (4, 8, 8, 8, 8, 8)
        self.blocks = nn.Sequential(
            *(
                _Block(before, after, pool=number < 2)
                for number, (before, after) in enumerate(zip((1, *filters), filters, strict=False))
            )
        )
        self.drop = nn.Dropout(0.3)
        self.gru = nn.GRU(filters[-1] * columns, 16, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(32, 1)
        self.linear = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, classes) logits of (batch, time, columns) normalised windows."""
        x = self.blocks(x[:, None])  # (batch, 8, time / 4, columns)
        x = x.permute(0, 2, 1, 3).flatten(2)  # (batch, time / 4, 8 * columns)
        x, _ = self.gru(self.drop(x))  # (batch, time / 4, 32)
        weights = torch.softmax(self.attention(x), dim=1)  # (batch, time / 4, 1)
        return self.linear((weights * x).sum(dim=1))


class _Block(nn.Module):
    """A residual depthwise-separable convolution over 5 samples, the same for every column."""

    def __init__(self, before: int, after: int, *, pool: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(before, before, (5, 1), padding=(2, 0), groups=before)
        self.pointwise = nn.Conv2d(before, after, 1)
        self.norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Identity()
        if before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1), nn.BatchNorm2d(after))
        self.pool = nn.MaxPool2d((2, 1)) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(torch.relu(self.norm(self.pointwise(self.depthwise(x))) + self.shortcut(x)))
