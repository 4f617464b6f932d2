"""Training steps and predictions of whole networks: as users run them, in compiled plans, and layer by layer on NumPy."""

import statistics
from abc import abstractmethod
from functools import partial
from types import MappingProxyType

import fastnn as fnn

from . import _measuring
from ._base import Benchmark
from ._kernels import IMPLS
from ._networks import WORKLOADS


class NetworkBenchmark(Benchmark):
    """A network; a step is forward, loss, backward and update."""

    param_names = ("impl",)
    choices = MappingProxyType({"impl": list(IMPLS)})
    repeat = (3, 15, 0.6)
    timeout = 600  # where nothing is in the cache, seconds go by before the first step is done

    @property
    @abstractmethod
    def workload(self):
        """One of `WORKLOADS`."""

    @classmethod
    def _title(cls):
        return f"{cls.workload.title}, batches of {cls.workload.batch}"

    def _prepare(self, impl="numba"):
        """Take every way that is timed often enough to have all of it compiled: small predictions change theirs once."""
        trainer, (x, y) = self.workload.trainer(impl), self.workload.data()
        self._step = partial(trainer.step, x, y)
        self._predict = partial(trainer.network.predict, x)
        for call in (self._step, self._predict):
            _measuring.repeat(call, 3 if impl == "numba" else 1)
        return self._step

    def time_step(self, impl):
        _measuring.repeat(self._step, self._times)

    time_step.pretty_name = "time of a training step"

    def time_predict(self, impl):
        _measuring.repeat(self._predict, self._times)

    time_predict.pretty_name = "time of a prediction"

    def track_images_per_second(self, impl):
        (seconds,) = _measuring.in_turn([self._step])
        return self.workload.batch / statistics.median(seconds)

    track_images_per_second.pretty_name = "samples trained per second"
    track_images_per_second.unit = "images/s"

    def track_threads_scaling(self):
        threads = fnn.num_threads()
        alone, together = _measuring.in_turn([partial(self._with_threads, n) for n in (1, threads)])
        return _measuring.median_ratio(alone, together)

    track_threads_scaling.pretty_name = "training with all threads, times as fast as with one"
    track_threads_scaling.unit = "x"
    track_threads_scaling.param_names = ()

    def _with_threads(self, n):
        with fnn.threads(n):
            self._step()


class Mlp(NetworkBenchmark):
    workload = WORKLOADS["Mlp"]


class Lenet5(NetworkBenchmark):
    workload = WORKLOADS["Lenet5"]


class StrideCnn(NetworkBenchmark):
    workload = WORKLOADS["StrideCnn"]


class VggSmall(NetworkBenchmark):
    workload = WORKLOADS["VggSmall"]


class Resnet20(NetworkBenchmark):
    workload = WORKLOADS["Resnet20"]
