"""Benchmarks of kernels: a table of cases and the arguments of a call become times and figures."""

import itertools
import re
import statistics
from abc import abstractmethod
from functools import partial
from importlib import import_module

import numpy as np

from . import _measuring
from ._base import Benchmark

IMPLS = {"numba": "fastnn.kernels", "numpy": "fastnn.kernels.reference"}


class KernelBenchmark(Benchmark):
    """A kernel beside its twin: seconds of a call, and how much faster the kernel is. Rates leave out the tiny case.

    A subclass is named like its kernel, in CamelCase, or names it as `kernel`; its module is named like the kernel's. It has
    `cases`, the first of them "tiny", and `_arguments`. The parameter `case` is a name and a shape:
    "vgg_pool1 32x32x32x32, 2x2 stride 2".
    """

    param_names = ("case", "impl")
    kernel = None

    def __init_subclass__(cls, **options):
        cases = cls.cases if isinstance(cls.cases, dict) else {}
        cls.choices = {"case": [f"{name} {cls._shape(*sizes)}" for name, sizes in cases.items()], "impl": list(IMPLS)}
        super().__init_subclass__(**options)

    @property
    @abstractmethod
    def cases(self):
        """Name -> sizes."""

    @abstractmethod
    def _arguments(self, *sizes):
        """Arguments of a call for the sizes of a case."""

    @staticmethod
    def _shape(*sizes):
        """What stands behind the name of a case, for all who read results."""
        return "x".join(map(str, sizes))

    def _sizes(self, case):
        """Sizes of a case: "odd 37x301, 119 outputs" -> those of "odd"."""
        return self.cases[case.partition(" ")[0]]

    @classmethod
    def _title(cls):
        """Name of the class as that of a function: Conv2dBackwardWeight -> conv2d_backward_weight."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def _prepare(self, case, impl=None):
        """Compile with tiny arrays of the same types, then run the case itself."""
        for name in ("tiny", case):
            self._contestants = self._calls(name, [impl] if impl else IMPLS)
            for call in self._contestants:
                call()
        return self._contestants[0]

    def _calls(self, case, impls):
        """A call with a case's arguments for each of `impls`, on the same arrays."""
        family, name = type(self).__module__.rpartition(".")[2], self.kernel or self._title()
        try:
            kernels = [getattr(import_module(f"{IMPLS[impl]}.{family}"), name) for impl in impls]
        except (ImportError, AttributeError):
            raise NotImplementedError(f"{family}.{name}: not in this commit") from None  # asv then passes over it
        arguments = self._arguments(*self._sizes(case))
        return [partial(kernel, *arguments) for kernel in kernels]

    def time_kernel(self, case, impl):
        _measuring.repeat(self._contestants[0], self._times)

    time_kernel.pretty_name = "time of a call"

    def track_speedup(self, case):
        numba, numpy = _measuring.in_turn(self._contestants)
        return _measuring.median_ratio(numpy, numba)

    track_speedup.pretty_name = "times as fast as NumPy"
    track_speedup.unit = "x"
    track_speedup.param_names = ("case",)


class Multiplying(KernelBenchmark):
    """A kernel that multiply-adds bound: GFLOP/s too, and the share of what NumPy's BLAS reaches."""

    @abstractmethod
    def _flops(self, *sizes):
        """Floating-point operations of a call."""

    def track_gflops(self, case, impl):
        (seconds,) = _measuring.in_turn(self._contestants)
        return self._flops(*self._sizes(case)) / statistics.median(seconds) / 1e9

    track_gflops.pretty_name = "floating-point operations"
    track_gflops.unit = "GFLOP/s"
    track_gflops.without = ("tiny",)

    def track_percent_of_peak(self, case, impl):
        product, product_flops = _measuring.sgemm()
        seconds, product_seconds = _measuring.in_turn([*self._contestants, product])
        peak = product_flops / min(product_seconds)
        return 100 * self._flops(*self._sizes(case)) / statistics.median(seconds) / peak

    track_percent_of_peak.pretty_name = "share of the best rate of NumPy's 1024 x 1024 matrix product"
    track_percent_of_peak.unit = "%"
    track_percent_of_peak.without = ("tiny",)


class Moving(KernelBenchmark):
    """A kernel that memory bounds: bytes read and written per second too, and the share of what a copy reaches."""

    updated = ()  # positions of the arguments that are read and written

    def _bytes(self, arguments):
        """Bytes that a call has to move: each array once, those updated in place twice."""
        moved = sum(argument.nbytes for argument in arguments if isinstance(argument, np.ndarray))
        return moved + sum(arguments[position].nbytes for position in self.updated)

    def _prepare(self, case, impl=None):
        call = super()._prepare(case, impl)
        self._moved = self._bytes(call.args)
        self._copies, self._copied = _measuring.copies(self._moved)
        for copy in self._copies:
            copy()
        return call

    def track_gbytes(self, case, impl):
        (seconds,) = _measuring.in_turn(self._contestants)
        return self._moved / statistics.median(seconds) / 1e9

    track_gbytes.pretty_name = "bytes read and written"
    track_gbytes.unit = "GB/s"
    track_gbytes.without = ("tiny",)

    def track_percent_of_copy(self, case):
        seconds, *copies = _measuring.in_turn([self._contestants[0], *self._copies])
        best = self._copied / min(itertools.chain(*copies))
        return 100 * self._moved / statistics.median(seconds) / best

    track_percent_of_copy.pretty_name = "Numba's share of the best rate at which as many bytes are copied"
    track_percent_of_copy.unit = "%"
    track_percent_of_copy.without = ("tiny",)
    track_percent_of_copy.param_names = ("case",)
