"""Find model files: the bundled models by name, any other by its path."""

from __future__ import annotations

from pathlib import Path

from kinestream.core.did_you_mean import did_you_mean
from kinestream.core.errors import ModelError

SUFFIX = ".safetensors"


def list_models() -> dict[str, Path]:
    """Return the bundled models: name to file.

    >>> "uci_cnn" in list_models()
    True
    """
    return {path.stem: path for path in sorted((Path(__file__).parent / "zoo").glob(f"*{SUFFIX}"))}


def find_model(name_or_path: str | Path) -> Path:
    """Return the file of the bundled model of that name, or the model file at that path.

    Raises:
        ModelError: there is neither a bundled model nor a file.

    >>> find_model("uci_cnn").name
    'uci_cnn.safetensors'
    """
    bundled = list_models()
    name = str(name_or_path)
    if name in bundled:
        return bundled[name]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ModelError(
        f"no model '{name}'{did_you_mean(path.stem, bundled)}; expected a model file or one of "
        f"{', '.join(bundled) or 'the bundled models (none)'}"
    )
