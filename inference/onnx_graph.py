"""A subnetwork as an ONNX graph: resize, z-score, blocks, pool to a fixed grid, linear layer, softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .architecture import feature_sizes, resize_indices
from .subnetwork import cut

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from kinestream.core.signals import Subnet

    from .model import Model
    from .subnetwork import Conv

OPSET = 17
"""Supported by every ONNX Runtime since 1.12; nothing newer is needed."""
IR_VERSION = 8
INPUT, OUTPUT = "window", "probs"


def pool_bins(size: int, grid: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the bins of torch's adaptive pooling along one axis, and the bin that each grid cell reads.

    Where the grid is finer than the map, neighbouring cells can read the same samples; their bin is listed once.

    Returns:
        The half-open range ``(start, stop)`` of each bin, in order, and the index of each cell's bin.

    >>> pool_bins(5, 2), pool_bins(2, 4)
    (([(0, 3), (2, 5)], [0, 1]), ([(0, 1), (1, 2)], [0, 0, 1, 1]))
    """
    cells = [(cell * size // grid, -(-(cell + 1) * size // grid)) for cell in range(grid)]
    bins = list(dict.fromkeys(cells))
    return bins, [bins.index(cell) for cell in cells]


def build_graph(model: Model, subnet: Subnet) -> onnx.ModelProto:
    """Return the graph from ``window`` (batch, length, columns) in SI units to ``probs`` (batch, classes).

    Raises:
        ConfigError: the model was not trained for ``subnet``.
    """
    from onnx import TensorProto, helper

    network = cut(model, subnet)
    arch = model.architecture
    graph = _Nodes()
    x = INPUT
    if subnet.resolution != arch.length:
        samples = resize_indices(arch.length, subnet.resolution).astype(np.int64)
        x = graph.add("Gather", x, graph.constant(samples), axis=1)
    # One value per sample and column, not per column: the longer inner loop takes 1 us per node instead of 2.5 us.
    mean, std = (np.tile(v.astype(np.float64), (subnet.resolution, 1)) for v in (model.mean, model.std))
    x = graph.add("Sub", x, graph.constant(mean.astype(np.float32)))
    x = graph.add("Mul", x, graph.constant((1 / std).astype(np.float32)))
    x = graph.add("Unsqueeze", x, graph.constant(np.array([1], np.int64)))
    for block in network.blocks:
        y = x
        for conv in block.main[:-1]:
            y = graph.add("Relu", graph.conv(y, conv))
        y = graph.conv(y, block.main[-1])
        if block.shortcut is not None:
            y = graph.add("Add", y, graph.conv(x, block.shortcut))
        elif block.identity:
            y = graph.add("Add", y, x)
        x = graph.add("Relu", y)
    linear = network.linear_weight.reshape(arch.classes, -1, *arch.pool)
    for axis, size, grid in zip((2, 3), feature_sizes(arch, subnet.resolution)[-1], arch.pool, strict=True):
        bins, bin_of_cell = pool_bins(size, grid)
        x = graph.pool(x, axis, size, bins)
        linear = _sum_cells(linear, axis, bin_of_cell)
    x = graph.add("Flatten", x, axis=1)
    weight = graph.constant(linear.reshape(arch.classes, -1))
    x = graph.add("Gemm", x, weight, graph.constant(network.linear_bias), transB=1)
    graph.add("Softmax", x, axis=1, output=OUTPUT)
    proto = helper.make_graph(
        graph.nodes,
        str(subnet),
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", arch.length, arch.columns])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", arch.classes])],
        graph.constants,
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _sum_cells(weight: NDArray[np.float32], axis: int, bin_of_cell: list[int]) -> NDArray[np.float32]:
    """Linear weights per bin: cells with the same bin read the same value, so their weights add up."""
    if len(set(bin_of_cell)) == len(bin_of_cell):
        return weight
    total = np.zeros((*weight.shape[:axis], max(bin_of_cell) + 1, *weight.shape[axis + 1 :]))
    np.add.at(np.moveaxis(total, axis, 0), bin_of_cell, np.moveaxis(weight, axis, 0))
    return total.astype(np.float32)


class _Nodes:
    """Nodes and constants of a graph, named by consecutive numbers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x: str, conv: Conv) -> str:
        weight, bias = self.constant(conv.weight), self.constant(conv.bias)
        return self.add("Conv", x, weight, bias, strides=conv.stride, pads=conv.padding * 2, group=conv.groups)

    def pool(self, x: str, axis: int, size: int, bins: list[tuple[int, int]]) -> str:
        """Add the maximum over each bin along one axis of ``size`` samples.

        No bin is longer than twice the shortest, so its maximum is that of two runs of the shortest length: one from
        its start, one to its end.
        """
        starts, stops = np.array(bins, np.int64).T
        run = int((stops - starts).min())
        ends = stops - run
        if run * len(bins) == size and np.array_equal(starts, ends):
            return x if run == 1 else self._max(x, axis, run, stride=run)
        if run > 1:
            x = self._max(x, axis, run, stride=1)
        from_start = self.add("Gather", x, self.constant(starts), axis=axis)
        if np.array_equal(starts, ends):
            return from_start
        return self.add("Max", from_start, self.add("Gather", x, self.constant(ends), axis=axis))

    def _max(self, x: str, axis: int, run: int, stride: int) -> str:
        shape, strides = ([length, 1] if axis == 2 else [1, length] for length in (run, stride))
        return self.add("MaxPool", x, kernel_shape=shape, strides=strides)
