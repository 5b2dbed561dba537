"""The result of a recogniser: the predictions of one recording, as a sequence and as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from kinestream.core.errors import MissingPackage
from kinestream.run.tally import Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kinestream.core.signals import Prediction


class Predictions(Sequence["Prediction"]):
    """One ``Prediction`` per window, in order of time.

    Args:
        model: the model's name.
        classes: the activities it knows.
        predictions: in order.
        notices: what happened to samples that could not be used, a line each.

    >>> import numpy as np, kinestream
    >>> predictions = kinestream.load("uci_kinet").predict(np.tile([0, 0, 9.8, 0, 0, 0], (200, 1)))
    >>> predictions
    <Predictions of uci_kinet: 2 windows, 0.00 to 3.82 s: lying 2>
    >>> predictions.times.tolist()
    [[0.0, 2.54], [1.28, 3.82]]
    >>> [prediction.label for prediction in predictions]
    ['lying', 'lying']
    """

    def __init__(
        self, model: str, classes: tuple[str, ...], predictions: Sequence[Prediction], notices: Sequence[str] = ()
    ) -> None:
        self.model = model
        self.classes = classes
        self.notices = tuple(notices)
        self._predictions = tuple(predictions)

    def __len__(self) -> int:
        return len(self._predictions)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Predictions: ...

    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return Predictions(self.model, self.classes, self._predictions[index], self.notices)
        return self._predictions[index]

    def __repr__(self) -> str:
        if not self._predictions:
            return f"<Predictions of {self.model}: none>"
        shares = ", ".join(f"{label} {count}" for label, count in Counter(self.labels).most_common())
        start_s, end_s = self._predictions[0].t_start_s, self._predictions[-1].t_end_s
        notices = f"; {'; '.join(self.notices)}" if self.notices else ""
        return f"<Predictions of {self.model}: {len(self)} windows, {start_s:.2f} to {end_s:.2f} s: {shares}{notices}>"

    @property
    def labels(self) -> tuple[str, ...]:
        """The activity of each window; that of its conclusion, if conclusions were asked for."""
        return tuple((prediction.conclusion or prediction).label for prediction in self)

    @property
    def confidences(self) -> NDArray[np.float64]:
        """(windows,) the probability of each label, 0 to 1; that of the conclusion, if conclusions were asked for."""
        return np.array([(prediction.conclusion or prediction).confidence for prediction in self], np.float64)

    @property
    def times(self) -> NDArray[np.float64]:
        """(windows, 2) seconds at which the first and the last sample of each window were taken."""
        return np.array([(p.t_start_s, p.t_end_s) for p in self], np.float64).reshape(-1, 2)

    @property
    def probs(self) -> NDArray[np.float32]:
        """(windows, classes) in the order of ``classes``; each row sums to 1."""
        return np.array([prediction.probs for prediction in self], np.float32).reshape(-1, len(self.classes))

    @property
    def accuracy(self) -> float | None:
        """Share of right windows among those whose samples all carry one label that the model knows.

        None without labels, and where no window lies inside one activity.
        """
        tally = Tally(self.classes)
        for prediction in self:
            tally.add(prediction, None)
        return tally.summary()["accuracy"]

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns by name, as JSON values: what ``polars.DataFrame`` and ``json.dumps`` take.

        ``t_start_s``, ``t_end_s``, ``label``, ``confidence``, ``subnet`` (e.g. ``1.00x-128``), ``truth`` where labels
        were given, and one ``p_ACTIVITY`` for the probability of each activity. ``Prediction.to_dict`` has more.
        """
        columns: dict[str, list[Any]] = {
            "t_start_s": [p.t_start_s for p in self],
            "t_end_s": [p.t_end_s for p in self],
            "label": list(self.labels),
            "confidence": self.confidences.tolist(),
            "subnet": [str(p.decision.subnet) for p in self],
        }
        if any(p.truth is not None for p in self):
            columns["truth"] = [p.truth for p in self]
        probs = self.probs.T.tolist()
        return columns | {f"p_{name}": column for name, column in zip(self.classes, probs, strict=True)}

    def to_pandas(self) -> Any:
        """The columns of ``to_dict`` as a ``pandas.DataFrame``.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas  # pyright: ignore[reportMissingImports]  # optional
        except ImportError:
            raise MissingPackage("pandas", "to_pandas") from None
        return pandas.DataFrame(self.to_dict())
