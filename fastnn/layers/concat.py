"""Branches side by side, their outputs joined along the channels."""

from ..network import Network
from .base import call_backward
from .checks import as_shape
from .config import registered_name


class Concat(Network):
    """All branches on the same x, their outputs joined along axis 1, the channels: ``torch.cat([b(x) for b in branches], 1)``.

    Shape: that of the branches' outputs, which may differ in axis 1 only, with the sum of their sizes there.

    Parameters
    ----------
    *branches : Layer
        At least one. An empty `Sequential` passes x on as it is.

    Attributes
    ----------
    branches : tuple of Layer
    params, grads, state : dict of arrays
        Of all branches, under dotted names ("0.weight", or "0.0.weight" for a branch that is a network).

    Raises
    ------
    TypeError
        If something is not a layer, or the parameters are not all of one dtype.
    ValueError
        If there is no branch, a layer appears twice, or the branches' outputs do not fit together.

    Notes
    -----
    Szegedy et al., "Going deeper with convolutions" (2014), arXiv:1409.4842, joins branches of 1x1, 3x3 and 5x5
    convolutions in this way, and Huang et al., "Densely connected convolutional networks" (2016), arXiv:1608.06993, a layer
    with what came before it.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> block = fnn.Concat(fnn.Conv2d(3, 4, 1), fnn.Sequential(fnn.Conv2d(3, 2, 3, padding=1), fnn.ReLU()))
    >>> block.output_shape((3, 8, 8)), list(block.params)
    ((6, 8, 8), ['0.weight', '0.bias', '1.0.weight', '1.0.bias'])
    >>> fnn.Concat(fnn.Sequential(), fnn.ReLU()).forward(np.array([[3, -4]], np.float32))
    array([[ 3., -4.,  3.,  0.]], dtype=float32)
    """

    def __init__(self, *branches):
        super().__init__()
        if not branches:
            raise ValueError("Concat: expected at least one branch, got none")
        self._branches = branches
        self.adopt()

    @property
    def branches(self):
        """The branches in the order of their channels."""
        return self._branches

    def children(self):
        return {str(i): branch for i, branch in enumerate(self._branches)}

    def output_shape(self, input_shape):
        """Shape of one sample's output, given that of one sample's input.

        Raises
        ------
        ValueError
            From the first branch that cannot take x, or if the shapes that the branches give do not fit together.
        """
        shape = as_shape(input_shape, f"{self.class_name}: input_shape")
        return self._joined([branch.output_shape(shape) for branch in self._branches])

    def _joined(self, shapes, batch=()):
        """The shape of outputs side by side; shapes are those of samples, `batch` is what stands in front of them."""
        first = shapes[0]
        if any(len(shape) < 1 or len(shape) != len(first) or shape[1:] != first[1:] for shape in shapes):
            given = ", ".join(str((*batch, *shape)) for shape in shapes)
            raise ValueError(f"Concat: expected branches that give the same shape but for axis 1, the channels, got {given}")
        return sum(shape[0] for shape in shapes), *first[1:]

    def macs(self, input_shape):
        return sum(branch.macs(input_shape) for branch in self._branches)

    def run_forward(self, x, training):
        outs = []
        for i, branch in enumerate(self._branches):
            try:
                out = branch.forward(x, training=training)
            except (TypeError, ValueError) as error:
                if hasattr(error, "add_note"):  # Python 3.11
                    error.add_note(f"in branch {i} of {self.class_name}, {branch!r:.100}")
                raise
            out = self.as_input(out, f"branch {i}'s output", outs[0].dtype if outs else None)
            if out.shape[:1] != x.shape[:1]:
                raise ValueError(f"Concat: expected {len(x)} samples from branch {i}, got an output of shape {out.shape}")
            outs.append(out)
        shape = self._joined([out.shape[1:] for out in outs], x.shape[:1])
        joined = self.buffer("out", (len(x), *shape), outs[0].dtype)
        if training:
            self._sizes = [out.shape[1] for out in outs]
        if joined.size:
            start = 0
            for out in outs:
                self._copy(joined, out, start, 0, out.shape[1])
                start += out.shape[1]
        return joined

    def run_backward(self, dout, need_dx):
        dx, start = None, 0
        for i, (branch, channels) in enumerate(zip(self._branches, self._sizes)):
            part = self.buffer(f"dout{i}", (len(dout), channels, *dout.shape[2:]), dout.dtype)
            if part.size:
                self._copy(part, dout, 0, start, channels)
            start += channels
            term = call_backward(branch, part, need_dx)
            if need_dx:
                dx = self.as_input(term) if dx is None else self._add(f"dx{i}", dx, self.as_input(term))
        return dx

    def _copy(self, out, x, to, start, channels):
        if channels:
            planes = (array.reshape(*array.shape[:2], -1) for array in (out, x))
            self.kernels.channels.copy_channels(*planes, to, start, channels)

    def _add(self, name, a, b):
        out = self.buffer(name, a.shape, a.dtype)
        if out.size:
            self.kernels.activations.add(out.reshape(-1), a.reshape(-1), b.reshape(-1))
        return out

    def get_config(self):
        return {"class": registered_name(type(self)), "branches": [branch.get_config() for branch in self._branches]}

    @classmethod
    def from_config(cls, arguments):
        return cls(*arguments["branches"])
