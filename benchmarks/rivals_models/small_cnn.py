"""A plain static network along time, the usual first choice for a triaxial accelerometer."""

from __future__ import annotations

from torch import Tensor, nn

CHANNELS = (32, 64, 96)


class SmallCnn(nn.Module):
    """Three convolutions over 5 samples and all columns, each with batch norm and pooling, and one linear layer.

    Args:
        columns: number of sensor columns. classes: number of activities.
    """

    def __init__(self, columns: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((columns, *CHANNELS), CHANNELS, strict=False):
            convolution = nn.Conv1d(before, after, 5, padding=2, bias=False)
            layers += [convolution, nn.BatchNorm1d(after), nn.ReLU(), nn.MaxPool1d(2)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.linear = nn.Linear(CHANNELS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, classes) logits of (batch, time, columns) normalised windows."""
        return self.linear(self.features(x.transpose(1, 2)))
