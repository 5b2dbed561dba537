"""Which models there are: those that come with kinestream, and any model file by its path."""

from __future__ import annotations

from pathlib import Path

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ModelError

SUFFIX = ".safetensors"


def list_models() -> dict[str, Path]:
    """The bundled models, name to file."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "zoo").glob(f"*{SUFFIX}"))}


def find_model(name_or_path: str | Path) -> Path:
    """The file of a bundled model, by name, or the model file at a path.

    Raises:
        ModelError: there is neither.
    """
    bundled = list_models()
    name = str(name_or_path)
    if name in bundled:
        return bundled[name]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ModelError(
        f"no model '{name}'{did_you_mean(path.stem, bundled)}: neither a model file nor one of "
        f"{', '.join(bundled) or 'the bundled ones (none)'}"
    )
