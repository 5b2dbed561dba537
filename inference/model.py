"""A switchable network with everything that a run needs, checked on construction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.errors import ConfigError, ModelError
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import Subnet
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.movement import Movement
from kinestream.interpret.placement import Placement

from .architecture import Architecture, feature_sizes, norm_channels, parameter_shapes, statistic_shapes
from .lever_accuracy import Levers
from .limits import MAX_LABEL_LENGTH, MAX_MAGNITUDE, MIN_STD, check_subnets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Model:
    """A switchable network with everything that a run needs.

    Raises:
        ModelError: the parts do not fit together, or a number is not finite.

    >>> from kinestream.inference import find_model, load_model
    >>> load_model(find_model("uci_kinet"))
    <Model uci_kinet: 6 activities, 18 subnetworks, 128 x 9 windows at 50 Hz>
    """

    name: str
    architecture: Architecture
    labels: tuple[str, ...]
    input: InputSpec
    mean: NDArray[np.float32]
    """(columns,) offset that is subtracted from the window."""
    std: NDArray[np.float32]
    """(columns,) scale that the window is then divided by."""
    widths: tuple[float, ...]
    """In ascending order, with two decimals at most."""
    resolutions: tuple[int, ...]
    """In ascending order, none above the full length."""
    tensors: dict[str, NDArray[np.float32]]
    """Weights and batch-norm statistics, named as in ``architecture.py``."""
    accuracy: dict[Subnet, float] = field(default_factory=dict)
    """Share of correct windows on the validation subjects; some subnetworks can be missing."""
    card: dict[str, Any] = field(default_factory=dict)
    """Data, terms, recipe, command, test figures and limits, as JSON values."""
    calibration: Calibration = field(default_factory=Calibration)
    """How probabilities become conclusions; learnt after training by ``kinestream calibrate``."""
    levers: Levers = field(default_factory=Levers)
    """Accuracy with a slower sensor and longer hops; measured after training."""
    placement: Placement | None = None
    """How the training people wore the sensor; None: no check, as for a model that can be worn anyhow."""
    needs_up: tuple[str, ...] = ()
    """The labels that only the direction of up tells apart; empty for a model that does not read it."""

    def __post_init__(self) -> None:
        _check_grid(self)
        _check_tensors(self)

    def __repr__(self) -> str:
        spec = self.input
        return (
            f"<Model {self.name}: {len(self.labels)} activities, {len(self.subnets)} subnetworks, "
            f"{spec.length} x {len(spec.channels)} windows at {spec.fs_hz:g} Hz>"
        )

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """All subnetworks, from narrow to wide and from low to high resolution."""
        return tuple(Subnet(width, resolution) for width in self.widths for resolution in self.resolutions)

    @property
    def full(self) -> Subnet:
        """The widest network at the highest resolution."""
        return Subnet(self.widths[-1], self.resolutions[-1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex over all that is learnt in training: two models with the same fingerprint predict the same."""
        metadata = self.metadata()
        # Left out, so that tables and recordings stay valid after a calibration: these change no prediction.
        for key in ("calibration", "levers", "placement", "needs_up"):
            metadata.pop(key, None)
        return digest(metadata, self.all_tensors())

    def metadata(self) -> dict[str, Any]:
        """Return all except the tensors as JSON values: tuples become lists, keys strings.

        Raises:
            ModelError: the card holds values that are not JSON.
        """
        fields = {
            "name": self.name,
            "architecture": asdict(self.architecture),
            "labels": self.labels,
            "input": asdict(self.input),
            "widths": self.widths,
            "resolutions": self.resolutions,
            "accuracy": {str(subnet): accuracy for subnet, accuracy in sorted(self.accuracy.items())},
            "card": self.card,
        }
        if self.calibration.is_learnt:
            fields["calibration"] = self.calibration.to_json()
        if self.levers.sensing:
            fields["levers"] = self.levers.to_json()
        if self.placement:
            fields["placement"] = self.placement.to_json()
        if self.needs_up:
            fields["needs_up"] = self.needs_up
        try:
            return json.loads(json.dumps(fields, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ModelError(f"{self.name}: the card must hold JSON values only ({error})") from error

    def all_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return weights, statistics and normalisation by name."""
        return {"input.mean": self.mean, "input.std": self.std, **self.tensors}


def digest(metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float32]]) -> str:
    """Return the SHA-256 of metadata and tensors in hex."""
    sha256 = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        sha256.update(name.encode())
        sha256.update(np.ascontiguousarray(tensor).data)
    return sha256.hexdigest()


def _check_grid(model: Model) -> None:
    arch = model.architecture
    if len(model.input.channels) != arch.columns or model.input.length != arch.length:
        raise ModelError(
            f"the input gives {model.input.length} x {len(model.input.channels)} windows, the network reads "
            f"{arch.length} x {arch.columns}; export the model again"
        )
    if len(model.labels) != arch.classes or len(set(model.labels)) != arch.classes:
        raise ModelError(f"{len(set(model.labels))} different labels for {arch.classes} classes")
    widths, resolutions = model.widths, model.resolutions
    if not widths or list(widths) != sorted({round(w, 2) for w in widths}) or not 0 < widths[0] <= widths[-1] <= 1:
        raise ModelError(f"widths {widths}: expected ascending shares of at most 1 with two decimals")
    if not resolutions or list(resolutions) != sorted(set(resolutions)) or resolutions[-1] > arch.length:
        raise ModelError(f"resolutions {resolutions}: expected ascending counts of at most {arch.length} samples")
    if any(not label or len(label) > MAX_LABEL_LENGTH for label in model.labels):
        raise ModelError(f"a label is empty or has more than {MAX_LABEL_LENGTH} characters; export the model again")
    try:
        check_subnets(len(widths), len(resolutions), norm_channels(arch))
        feature_sizes(arch, resolutions[0])
    except ConfigError as error:
        raise ModelError(str(error)) from error
    grid = set(model.subnets)
    for subnet, accuracy in model.accuracy.items():
        if subnet not in grid or not 0 <= accuracy <= 1:
            raise ModelError(f"accuracy {accuracy} of {subnet}: expected 0 to 1 for a subnetwork of this model")
    if foreign := model.calibration.temperature.keys() - set(widths):
        raise ModelError(
            f"a temperature for width {min(foreign):g}, which this model does not have; calibrate it again"
        )
    _check_reliability(model)
    if model.placement and not model.input.reads_sensor_axes:
        raise ModelError("a placement, but no acceleration in the sensor's axes among the columns; train it again")
    if (unknown := set(model.needs_up) - set(model.labels)) or (model.needs_up and not model.input.has_views):
        found = f"has no label {min(unknown)}" if unknown else "reads no up"
        raise ModelError(f"needs_up is {', '.join(model.needs_up)}, but the model {found}; train it again")
    if len(model.calibration.rates_per_s) not in (0, arch.classes):
        raise ModelError(
            f"rates between {len(model.calibration.rates_per_s)} activities for {arch.classes} classes; calibrate again"
        )


def _check_reliability(model: Model) -> None:
    reliability = model.calibration.reliability
    if reliability is None:
        return
    if reliability.classes != len(model.labels) or set(reliability.weights) != set(model.widths):
        raise ModelError(
            f"a reliability of {reliability.classes} activities and widths {sorted(reliability.weights)}, for "
            f"{len(model.labels)} classes and widths {list(model.widths)}; calibrate again"
        )
    if not Movement(model.input.channels, model.input.fs_hz).can_read:
        raise ModelError("a reliability, but windows without the three axes of acceleration; calibrate again")


def _check_tensors(model: Model) -> None:
    arch = model.architecture
    shapes = parameter_shapes(arch) | statistic_shapes(arch, len(model.widths), len(model.resolutions))
    unmatched = sorted(shapes.keys() ^ model.tensors.keys())
    if unmatched:
        name = unmatched[0]
        raise ModelError(f"tensor {name} is {'missing' if name in shapes else 'unknown'}; export the model again")
    shapes |= {"input.mean": (arch.columns,), "input.std": (arch.columns,)}
    for name, tensor in model.all_tensors().items():
        if tensor.shape != shapes[name] or tensor.dtype != np.float32:
            raise ModelError(f"tensor {name} is {tensor.dtype} {tensor.shape}, expected float32 {shapes[name]}")
        if not np.isfinite(tensor).all():
            raise ModelError(f"tensor {name} holds NaN or infinite values; train or copy the model again")
        if tensor.size and (largest := float(np.abs(tensor).max())) > MAX_MAGNITUDE:
            raise ModelError(
                f"tensor {name} holds {largest:.3g}, expected at most {MAX_MAGNITUDE:g}; train or copy the model again"
            )
        if name.endswith(".var") and (tensor < 0).any():
            raise ModelError(f"tensor {name} holds a negative variance; train or copy the model again")
    if not (model.std >= MIN_STD).all():
        raise ModelError(f"tensor input.std holds {model.std.min():g}, expected {MIN_STD:g} or more; export again")
