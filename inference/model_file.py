"""A model as one ``.safetensors`` file: checked when it is made, written and read.

Layout, format version 1. Every tensor is float32:

- ``architecture.parameter_shapes``: the full-width weights;
- ``architecture.statistic_shapes``: batch-norm statistics of every (width, resolution), zero beyond the kept channels;
- ``input.mean``, ``input.std``: (columns,) the z-score applied before the network.

The metadata key ``kinestream`` holds the rest as JSON: ``format_version, name, architecture, labels, input, widths,
resolutions, accuracy, card, sha256`` (over all else). Nothing in the file is code, so reading one cannot run any.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.errors import ConfigError, ModelError
from kinestream.input_spec import InputSpec
from kinestream.signals import Subnet

from .architecture import Architecture, feature_sizes, parameter_shapes, statistic_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT_VERSION = 1
METADATA_KEY = "kinestream"
MAX_HEADER_BYTES = 4 << 20
"""Far above what a real card needs; a larger header is damage or mischief."""


@dataclass(frozen=True)
class Model:
    """A switchable network with all that is needed to serve it.

    Raises:
        ModelError: the parts do not fit together, or a number is not finite.
    """

    name: str
    architecture: Architecture
    labels: tuple[str, ...]
    input: InputSpec
    mean: NDArray[np.float32]
    """(columns,) subtracted from the window."""
    std: NDArray[np.float32]
    """(columns,) divides it then."""
    widths: tuple[float, ...]
    """Ascending, two decimals at most."""
    resolutions: tuple[int, ...]
    """Ascending, none above the full length."""
    tensors: dict[str, NDArray[np.float32]]
    """Weights and statistics, by the names of ``architecture.py``."""
    accuracy: dict[Subnet, float] = field(default_factory=dict)
    """Share of right windows on the validation subjects; a subnetwork may be missing."""
    card: dict[str, Any] = field(default_factory=dict)
    """Data, terms, recipe, command, test figures and limits, as JSON values."""

    def __post_init__(self) -> None:
        _check_grid(self)
        _check_tensors(self)

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """Every subnetwork, narrow to wide, low resolution to high."""
        return tuple(Subnet(width, resolution) for width in self.widths for resolution in self.resolutions)

    @property
    def full(self) -> Subnet:
        """The widest network at the highest resolution."""
        return Subnet(self.widths[-1], self.resolutions[-1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all the content, in hex: two models with the same one predict the same."""
        return _digest(_fields(self), _all_tensors(self))


def save_model(path: Path | str, model: Model) -> None:
    """Write ``model`` to ``path``, whole or not at all; the same model gives the same bytes.

    Raises:
        ModelError: the card holds something that is not JSON.
        OSError: the folder cannot be written.
    """
    from safetensors.numpy import save

    try:
        metadata = json.dumps(_fields(model) | {"sha256": model.fingerprint}, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{model.name}: the card must hold JSON values only ({error})") from error
    content = save(
        {name: np.ascontiguousarray(tensor) for name, tensor in _all_tensors(model).items()},
        metadata={METADATA_KEY: metadata},
    )
    header_bytes = int.from_bytes(content[:8], "little")
    if header_bytes > MAX_HEADER_BYTES:
        raise ModelError(
            f"{model.name}: the header has {header_bytes} bytes, at most {MAX_HEADER_BYTES}; trim the card"
        )
    write_whole(Path(path), content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody, at any time, finds half of it under its name.

    Raises:
        OSError: the folder cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes it private; models and tables are to be shared
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_model(path: Path | str) -> Model:
    """The model in the file at ``path``.

    Raises:
        ModelError: the file is missing, damaged, of another kind or version; the message says which.
    """
    path = Path(path)
    try:
        metadata, tensors = _read(path)
        claimed, found = metadata.pop("sha256", None), _digest(metadata, tensors)
        model = _from_parts(metadata, tensors)
        if claimed != found:
            raise ModelError("the content is not what was written (its SHA-256 differs); copy or train it again")
        return model
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    from safetensors import SafetensorError, safe_open

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(9)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"cannot be read ({reason}); name a model file (kinestream models list)") from error
    header_bytes = int.from_bytes(prefix[:8], "little")
    if len(prefix) < 9 or prefix[8:] != b"{":
        raise ModelError("not a .safetensors file; name a model file (kinestream models list)")
    if header_bytes > MAX_HEADER_BYTES:
        raise ModelError(
            f"the header claims {header_bytes} bytes, at most {MAX_HEADER_BYTES} are allowed; file damaged"
        )
    if header_bytes + 8 > size:
        raise ModelError(f"the file ends after {size} bytes, inside its header; copy or train it again")
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise ModelError(f"a .safetensors file without '{METADATA_KEY}' metadata; it was not written by us")
            foreign = {n: file.get_slice(n).get_dtype() for n in file.keys()}  # noqa: SIM118, not a dict
            wrong = [f"{name} is {dtype}" for name, dtype in foreign.items() if dtype != "F32"]
            if wrong:
                raise ModelError(f"tensor {wrong[0]}, expected F32; export the model again")
            tensors = {name: file.get_tensor(name) for name in foreign}
    except SafetensorError as error:
        raise ModelError(f"damaged ({error}); copy or train it again") from error
    try:
        metadata = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the metadata is not JSON ({error}); copy or train it again") from error
    if not isinstance(metadata, dict):
        raise ModelError("the metadata is not a JSON object; copy or train it again")
    return metadata, tensors


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a number")
    return number


def _from_parts(metadata: Mapping[str, Any], tensors: dict[str, NDArray[np.float32]]) -> Model:
    version = metadata.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(
            f"format version {version}, this kinestream reads {FORMAT_VERSION}; update kinestream or export again"
        )
    for name in ("input.mean", "input.std"):
        if name not in tensors:
            raise ModelError(f"tensor {name} is missing; export the model again")
    try:
        spec = InputSpec(**_tuples(metadata["input"]))
        for count in (spec.length, spec.hop):
            _typed(count, int)
        return Model(
            name=_typed(metadata["name"], str),
            architecture=Architecture(**_tuples(metadata["architecture"])),
            labels=tuple(_typed(label, str) for label in _typed(metadata["labels"], list)),
            input=spec,
            mean=tensors.pop("input.mean"),
            std=tensors.pop("input.std"),
            widths=tuple(float(_typed(width, int, float)) for width in metadata["widths"]),
            resolutions=tuple(_typed(resolution, int) for resolution in metadata["resolutions"]),
            tensors=tensors,
            accuracy={Subnet.parse(key): float(value) for key, value in _typed(metadata["accuracy"], dict).items()},
            card=_typed(metadata["card"], dict),
        )
    except KeyError as error:
        raise ModelError(f"the metadata lacks {error}; export the model again") from error
    except (TypeError, ValueError, OverflowError, ConfigError) as error:
        raise ModelError(f"the metadata is wrong ({error}); export the model again") from error


def _typed(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{str(value)[:60]!r} is not {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _tuples(fields: Any) -> dict[str, Any]:
    """The JSON object with its arrays as tuples, as the frozen dataclasses hold them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in _typed(fields, dict).items()}


def _fields(model: Model) -> dict[str, Any]:
    """The metadata as they will come back from the file: tuples as lists, keys as strings."""
    fields = {
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "architecture": asdict(model.architecture),
        "labels": model.labels,
        "input": asdict(model.input),
        "widths": model.widths,
        "resolutions": model.resolutions,
        "accuracy": {str(subnet): accuracy for subnet, accuracy in sorted(model.accuracy.items())},
        "card": model.card,
    }
    return json.loads(json.dumps(fields, allow_nan=False))


def _digest(metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 over everything but itself: a bit that flipped on the way is a damaged file, not a wrong prediction."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def _all_tensors(model: Model) -> dict[str, NDArray[np.float32]]:
    return {"input.mean": model.mean, "input.std": model.std, **model.tensors}


def _check_grid(model: Model) -> None:
    arch = model.architecture
    if len(model.input.channels) != arch.columns or model.input.length != arch.length:
        raise ModelError(
            f"the input gives {model.input.length} x {len(model.input.channels)} windows, "
            f"the network reads {arch.length} x {arch.columns}"
        )
    if len(model.labels) != arch.classes or len(set(model.labels)) != arch.classes:
        raise ModelError(f"{len(set(model.labels))} different labels for {arch.classes} classes")
    widths, resolutions = model.widths, model.resolutions
    if not widths or list(widths) != sorted({round(w, 2) for w in widths}) or not 0 < widths[0] <= widths[-1] <= 1:
        raise ModelError(f"widths {widths}: expected ascending shares of at most 1 with two decimals")
    if not resolutions or list(resolutions) != sorted(set(resolutions)) or resolutions[-1] > arch.length:
        raise ModelError(f"resolutions {resolutions}: expected ascending counts of at most {arch.length} samples")
    try:
        feature_sizes(arch, resolutions[0])
    except ConfigError as error:
        raise ModelError(str(error)) from error
    grid = set(model.subnets)
    for subnet, accuracy in model.accuracy.items():
        if subnet not in grid or not 0 <= accuracy <= 1:
            raise ModelError(f"accuracy {accuracy} of {subnet}: expected 0 to 1 for a subnetwork of this model")


def _check_tensors(model: Model) -> None:
    arch = model.architecture
    shapes = parameter_shapes(arch) | statistic_shapes(arch, len(model.widths), len(model.resolutions))
    odd = sorted(shapes.keys() ^ model.tensors.keys())
    if odd:
        raise ModelError(f"tensor {odd[0]} is {'missing' if odd[0] in shapes else 'unknown'}; export the model again")
    shapes |= {"input.mean": (arch.columns,), "input.std": (arch.columns,)}
    for name, tensor in _all_tensors(model).items():
        if tensor.shape != shapes[name] or tensor.dtype != np.float32:
            raise ModelError(f"tensor {name} is {tensor.dtype} {tensor.shape}, expected float32 {shapes[name]}")
        if not np.isfinite(tensor).all():
            raise ModelError(f"tensor {name} holds NaN or infinite values; train or copy the model again")
        if name.endswith(".var") and (tensor < 0).any():
            raise ModelError(f"tensor {name} holds a negative variance; train or copy the model again")
    if not (model.std > 0).all():
        raise ModelError("tensor input.std holds a zero or negative value; export the model again")
