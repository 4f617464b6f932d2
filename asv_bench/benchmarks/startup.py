"""How long one waits before the first step."""

import os
import statistics
import subprocess
import sys
import tempfile

FIRST_STEP = """
import time
start = time.perf_counter()
import numpy as np
import fastnn as fnn
front = [fnn.Conv2d(1, 6, 5), fnn.ReLU(), fnn.MaxPool2d(2), fnn.Conv2d(6, 16, 5), fnn.ReLU(), fnn.MaxPool2d(2)]
dense = [fnn.Linear(256, 120), fnn.ReLU(), fnn.Linear(120, 84), fnn.ReLU(), fnn.Linear(84, 10)]
trainer = fnn.Trainer(fnn.Sequential(*front, fnn.Flatten(), *dense), fnn.CrossEntropyLoss(), fnn.Adam(lr=1e-3))
trainer.step(np.zeros((128, 1, 28, 28), np.float32), np.zeros(128, np.int64))
print(time.perf_counter() - start)
"""


def first_step(**environment):
    """Seconds that a new process needs for imports, compilation or loading, and a step of LeNet-5."""
    environment = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", FIRST_STEP], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


class Import:
    rounds = 1
    repeat = (3, 7, 5.0)
    number = 1

    def timeraw_import(self):
        return "import fastnn"

    timeraw_import.pretty_name = "import: import fastnn in a new process, NumPy and Numba with it"


class FirstStep:
    """All that a script waits for before it has trained on one batch, the interpreter's own start aside."""

    timeout = 900

    def track_cold(self):
        with tempfile.TemporaryDirectory(prefix="fastnn-cache-") as folder:
            return first_step(NUMBA_CACHE_DIR=folder)

    track_cold.pretty_name = "first step: import and a step of LeNet-5, nothing compiled before"
    track_cold.unit = "seconds"

    def track_warm(self):
        first_step()
        return statistics.median(first_step() for _ in range(5))

    track_warm.pretty_name = "first step: import and a step of LeNet-5, compiled by an earlier process"
    track_warm.unit = "seconds"
