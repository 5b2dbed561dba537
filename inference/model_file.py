"""A model as one ``.safetensors`` file: written atomically, and checked when it is read.

Layout, format version 1. Every tensor is float32:

- ``architecture.parameter_shapes``: the full-width weights;
- ``architecture.statistic_shapes``: batch-norm statistics of every (width, resolution), zero for unused channels;
- ``input.mean``, ``input.std``: (columns,) the z-score applied before the network.

The metadata key ``kinestream`` holds the rest as JSON: ``format_version, name, architecture, labels, input, widths,
resolutions, accuracy, card``, where known ``calibration``, ``levers``, ``placement`` and ``needs_up``, and ``sha256``
over everything else. A file contains no code, so reading one cannot run any.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinestream.core.atomic_file import write_atomically
from kinestream.core.errors import ConfigError, ModelError
from kinestream.core.input_spec import InputSpec
from kinestream.core.signals import Subnet
from kinestream.interpret.calibration import Calibration
from kinestream.interpret.placement import Placement

from .architecture import Architecture
from .lever_accuracy import Levers
from .limits import MAX_FILE_BYTES
from .model import Model, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT_VERSION = 1
METADATA_KEY = "kinestream"
MAX_MESSAGE = 600
"""Characters of a message about a file: it can quote what the file holds."""
MAX_HEADER_BYTES = 4 << 20
"""Far above the size of a real card: a larger header is damaged or hostile."""


def save_model(path: Path | str, model: Model) -> None:
    """Write ``model`` to ``path`` atomically; the same model gives the same bytes.

    Raises:
        ModelError: the card holds values that are not JSON.
        OSError: the folder cannot be written.

    >>> from tempfile import mkdtemp
    >>> from kinestream.inference import find_model
    >>> model, copy = load_model(find_model("uci_kinet")), Path(mkdtemp(), "copy.safetensors")
    >>> save_model(copy, model)
    >>> load_model(copy).fingerprint == model.fingerprint
    True
    """
    from safetensors.numpy import save

    metadata = {"format_version": FORMAT_VERSION, **model.metadata()}
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in model.all_tensors().items()}
    text = json.dumps(metadata | {"sha256": digest(metadata, tensors)}, ensure_ascii=False)
    content = save(tensors, metadata={METADATA_KEY: text})
    header_bytes = int.from_bytes(content[:8], "little")
    if header_bytes > MAX_HEADER_BYTES:
        raise ModelError(
            f"{model.name}: the header has {header_bytes} bytes, at most {MAX_HEADER_BYTES}; trim the card"
        )
    write_atomically(Path(path), content, durable=True)


def load_model(path: Path | str) -> Model:
    """Return the model in the file at ``path``.

    Raises:
        ModelError: the file is missing or damaged, or of another kind or version; the message says which.

    >>> from kinestream.inference import find_model
    >>> load_model(find_model("uci_kinet")).labels[:2]
    ('walking', 'walking_upstairs')
    """
    path = Path(path)
    try:
        metadata, tensors = _read(path)
        stored, computed = metadata.pop("sha256", None), digest(metadata, tensors)
        model = _from_parts(metadata, tensors)
        if stored != computed:
            raise ModelError("the content has changed since it was written (SHA-256 differs); copy or train it again")
        return model
    except (ModelError, RecursionError) as error:
        raise ModelError(f"{path}: {_short(error)}") from error


def _short(error: Exception) -> str:
    """The error's message in one line; the end is kept, because it says what to do."""
    text = " ".join(str(error).split())
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 2 :]}"


def read_input(path: Path | str) -> InputSpec:
    """Return the input of the model in the file at ``path``, without reading or checking its weights.

    Raises:
        ModelError: the file is missing or damaged, or of another kind.

    >>> from kinestream.inference import find_model
    >>> read_input(find_model("uci_kinet")).window_s
    2.56
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        _check_size(path)
        with safe_open(str(path), framework="numpy") as file:
            metadata = _parse((file.metadata() or {}).get(METADATA_KEY))
        return InputSpec(**_tuples(metadata["input"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, OverflowError, ConfigError, ModelError) as error:
        raise ModelError(
            f"{path}: its input cannot be read ({_short(error)}); copy or train the model again"
        ) from error


def _check_size(path: Path) -> None:
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
            f"the header claims {header_bytes} bytes, more than {MAX_HEADER_BYTES}; copy or train it again"
        )
    if header_bytes + 8 > size:
        raise ModelError(f"the file ends after {size} bytes, inside its header; copy or train it again")
    if size > MAX_FILE_BYTES:
        raise ModelError(f"the file has {size} bytes, more than {MAX_FILE_BYTES}; name a kinestream model")


def _parse(text: str | None) -> dict[str, Any]:
    if text is None:
        raise ModelError(f"a .safetensors file without '{METADATA_KEY}' metadata; name a kinestream model")
    try:
        metadata = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the metadata is not JSON ({error}); copy or train it again") from error
    if not isinstance(metadata, dict):
        raise ModelError("the metadata is not a JSON object; copy or train it again")
    return metadata


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    from safetensors import SafetensorError, safe_open

    _check_size(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = _parse((file.metadata() or {}).get(METADATA_KEY))
            dtypes = {n: file.get_slice(n).get_dtype() for n in file.keys()}  # noqa: SIM118, not a dict
            wrong = [f"{name} is {dtype}" for name, dtype in dtypes.items() if dtype != "F32"]
            if wrong:
                raise ModelError(f"tensor {wrong[0]}, expected F32; export the model again")
            return metadata, {name: file.get_tensor(name) for name in dtypes}
    except SafetensorError as error:
        raise ModelError(f"damaged ({error}); copy or train it again") from error


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
            calibration=(
                Calibration.from_json(_typed(metadata["calibration"], dict))
                if "calibration" in metadata
                else Calibration()
            ),
            levers=Levers.from_json(_typed(metadata["levers"], dict)) if "levers" in metadata else Levers(),
            placement=Placement.from_json(_typed(metadata["placement"], dict)) if "placement" in metadata else None,
            needs_up=tuple(_typed(label, str) for label in _typed(metadata.get("needs_up", []), list)),
        )
    except KeyError as error:
        raise ModelError(f"the metadata lacks {error}; export the model again") from error
    except (TypeError, ValueError, AttributeError, OverflowError, ConfigError) as error:
        raise ModelError(f"the metadata is wrong ({error}); export the model again") from error


def _typed(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{str(value)[:60]!r} is not {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _tuples(fields: Any) -> dict[str, Any]:
    """The JSON object with tuples for arrays, as the frozen dataclasses need."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in _typed(fields, dict).items()}
