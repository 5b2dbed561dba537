"""Run any subnetwork of a model on the CPU through ONNX Runtime, for one window or many."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import isfinite
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from kinestream.core.errors import ConfigError, InputMismatch, ModelError

from .onnx_graph import INPUT, OUTPUT, build_graph

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from kinestream.core.signals import Subnet

    from .model import Model

MAX_SESSIONS = 32
"""ONNX Runtime sessions kept at once: more than a Pareto front has points, and 1.4 MB each for the paper's CNN."""
BATCH = 16
"""Windows per run of ``predict_batch``: with more, the feature maps no longer fit the processor's cache."""


@dataclass(frozen=True, slots=True)
class Output:
    """The output of one subnetwork for one window.

    >>> int(Output(np.array([0.75, 0.25], np.float32), latency_ms=0.2).probs.argmax())
    0
    """

    probs: NDArray[np.float32]
    """(classes,) in the order of the model's labels; sums to 1."""
    latency_ms: float
    """Time from window to probabilities; a subnetwork's first use includes building it."""


class Engine:
    """One model, ready to run at any of its widths and resolutions.

    Subnetworks are built on first use; beyond ``max_sessions``, the least recently used one is released. All share one
    input and one output buffer, so switching is free and only one thread may use an engine at a time.

    Args:
        threads: threads of ONNX Runtime.
    Raises:
        ConfigError: ``threads`` or ``max_sessions`` is below 1.

    >>> from kinestream.inference import find_model, load_model
    >>> engine = Engine(load_model(find_model("uci_kinet")))
    >>> window = np.zeros((engine.model.input.length, len(engine.model.input.channels)), np.float32)
    >>> engine.predict(window, engine.model.full).probs.shape
    (6,)
    """

    def __init__(self, model: Model, threads: int = 1, max_sessions: int = MAX_SESSIONS) -> None:
        if threads < 1 or max_sessions < 1:
            raise ConfigError(f"threads {threads} and max_sessions {max_sessions} must be at least 1")
        self.model = model
        self.threads = threads
        self.max_sessions = max_sessions
        arch = model.architecture
        self._shape = (arch.length, arch.columns)
        self._window = np.zeros((1, *self._shape), np.float32)
        self._samples = self._window.reshape(-1)
        self._probs = np.zeros((1, arch.classes), np.float32)
        self._flat_probs = self._probs.reshape(-1)
        # On the CPU an OrtValue is a view of the array, so a prediction copies the window once and no more.
        self._input = ort.OrtValue.ortvalue_from_numpy(self._window)
        self._output = ort.OrtValue.ortvalue_from_numpy(self._probs)
        self._sessions: OrderedDict[Subnet, tuple[ort.InferenceSession, ort.IOBinding]] = OrderedDict()

    def predict(self, x: NDArray[np.float32], subnet: Subnet) -> Output:
        """Return the probabilities of one window.

        Args:
            x: (length, columns) at full length, SI units; the graph resizes and normalises.

        Raises:
            InputMismatch: the window has another shape, or holds NaN or infinite values.
            ConfigError: the model has no such subnetwork.
            ModelError: the network overflows.
        """
        started = perf_counter_ns()
        session, binding = self._session(subnet)
        if x.shape != self._shape:
            raise self._wrong_shape(x, self._shape)
        self._window[0] = x
        # The sum of squares is finite only if every sample is, and takes half a microsecond.
        if not isfinite(self._samples.dot(self._samples)):
            raise InputMismatch("the window holds NaN or infinite values; repair the stream before the network")
        session.run_with_iobinding(binding)
        if not isfinite(self._flat_probs.dot(self._flat_probs)):
            raise self._overflow(subnet)
        return Output(self._probs[0].copy(), (perf_counter_ns() - started) * 1e-6)

    def predict_batch(self, x: NDArray[np.float32], subnet: Subnet) -> NDArray[np.float32]:
        """Return (n, classes) probabilities of many windows.

        Args:
            x: (n, length, columns) at full length, SI units; n may be 0.

        Raises:
            InputMismatch: the windows have another shape, or hold NaN or infinite values.
            ConfigError: the model has no such subnetwork.
            ModelError: the network overflows.
        """
        session, _ = self._session(subnet)
        if x.ndim != 3 or x.shape[1:] != self._shape:
            raise self._wrong_shape(x, ("n", *self._shape))
        if not np.isfinite(x).all():
            raise InputMismatch("a window holds NaN or infinite values; repair the stream before the network")
        probs = np.empty((len(x), self._probs.shape[1]), np.float32)
        for start in range(0, len(x), BATCH):
            part = slice(start, start + BATCH)
            outputs = session.run([OUTPUT], {INPUT: np.ascontiguousarray(x[part], np.float32)})
            probs[part] = np.asarray(outputs[0])
        if not np.isfinite(probs).all():
            raise self._overflow(subnet)
        return probs

    def warm(self, subnets: Iterable[Subnet]) -> None:
        """Build subnetworks before they are needed; those beyond ``max_sessions`` are skipped.

        Raises:
            ConfigError: the model has no such subnetwork.
        """
        for subnet in list(dict.fromkeys(subnets))[: self.max_sessions]:
            self._session(subnet)

    def _session(self, subnet: Subnet) -> tuple[ort.InferenceSession, ort.IOBinding]:
        cached = self._sessions.get(subnet)
        if cached is not None:
            self._sessions.move_to_end(subnet)
            return cached
        graph = build_graph(self.model, subnet).SerializeToString()
        session = ort.InferenceSession(graph, _options(self.threads), providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        binding.bind_ortvalue_input(INPUT, self._input)
        binding.bind_ortvalue_output(OUTPUT, self._output)
        # The first run plans the memory of all later ones.
        session.run_with_iobinding(binding)
        while len(self._sessions) >= self.max_sessions:
            self._sessions.popitem(last=False)
        self._sessions[subnet] = session, binding
        return session, binding

    def _overflow(self, subnet: Subnet) -> ModelError:
        return ModelError(
            f"{self.model.name} at {subnet} overflows for such a window: its weights are too large; train or copy the "
            "model again"
        )

    def _wrong_shape(self, x: NDArray, expected: tuple[object, ...]) -> InputMismatch:
        actual, wanted = (" x ".join(map(str, shape)) for shape in (x.shape, expected))
        return InputMismatch(
            f"got windows of {actual}, {self.model.name} reads {wanted} (samples, columns); "
            "cut them as the model's input specification says"
        )


def _options(threads: int) -> ort.SessionOptions:
    """Settings for one window at a time, measured on the paper's networks with onnxruntime 1.32."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads would occupy a core between two windows.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # 3 to 6 % faster and smaller: prepacking helps large matrix products, which these networks do not have.
    options.add_session_config_entry("session.disable_prepacking", "1")
    # Equally fast without a memory arena per session, and a quarter smaller.
    options.enable_cpu_mem_arena = False
    return options
