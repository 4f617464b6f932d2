"""Memory of training."""

import subprocess
import sys
from pathlib import Path

from . import _measuring
from ._networks import WORKLOADS

COMPILE = "import sys; sys.path.insert(0, sys.argv[1]); from benchmarks import memory; memory.train(sys.argv[2])"


def train(network, data=None):
    """Some training steps of a new network."""
    trainer, data = WORKLOADS[network].trainer("numba"), data or WORKLOADS[network].data()
    for _ in range(3):
        trainer.step(*data)


class TrainingStep:
    """The most that is resident: in a process that trains, and in one that has only imported and made the data."""

    params = tuple(WORKLOADS)
    param_names = ("network",)
    timeout = 900

    def setup(self, network):
        """Compile in another process: the compiler needs more memory than the network."""
        subprocess.run([sys.executable, "-c", COMPILE, Path(__file__).parents[1], network], check=True)
        self.data = WORKLOADS[network].data()
        self.compilations = _measuring.Compilations()

    def teardown(self, network):
        self.compilations.expect_none()

    def peakmem_step(self, network):
        train(network, self.data)

    peakmem_step.pretty_name = "memory: training step"

    def peakmem_reference(self, network):
        pass

    peakmem_reference.pretty_name = "memory: before the first training step"
