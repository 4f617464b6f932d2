"""What the scripts of the course share: arguments, digits, pictures.

    python examples/course/03_forward_pass.py              pictures go to out/course
    python examples/course/03_forward_pass.py pictures     or wherever
    python examples/course/17_mnist_dense.py --quick       less data and fewer epochs: a look at it in seconds

The cells of a script (between lines that start with ``# %%``) can be run one by one in editors that know this format.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import fastnn as fnn
from fastnn import plot

OUT = Path("out", "course")


class Lesson:
    """A script of the course while it runs.

    Parameters
    ----------
    file : str
        ``__file__`` of the script, after which pictures are named.

    Attributes
    ----------
    name : str
        "03_forward_pass".
    out : pathlib.Path
        Folder for pictures; made when the first one comes.
    data : str or None
        Folder with data sets, where one was named.
    quick : bool
        Whether a reduced run is asked for. Then there is no MNIST but the small set that comes with fastnn.
    progress : bool
        Whether to show bars: where somebody watches.
    pictures : list of (pathlib.Path, str)
        What `picture` has written so far, with captions.
    """

    def __init__(self, file):
        self.name = Path(file).stem
        parser = argparse.ArgumentParser(prog=Path(file).name, description=f"Lesson {self.name.replace('_', ' ')}")
        parser.add_argument("out", nargs="?", type=Path, default=OUT, help=f"folder for pictures (default: {OUT})")
        parser.add_argument("--data", metavar="DIR", help="folder with data files (MNIST by default: $FASTNN_DATA)")
        parser.add_argument("--quick", action="store_true", help="a reduced run: less data, fewer epochs")
        arguments = parser.parse_args()
        self.out, self.quick, self.data = arguments.out, arguments.quick, arguments.data
        self.progress = sys.stderr is not None and sys.stderr.isatty()
        self.pictures = []
        np.set_printoptions(precision=8, suppress=False, linewidth=100)

    def digits(self):
        """MNIST: the full set where there is one, else 6,000 + 1,000 of its digits."""
        digits = fnn.data.mnist_subset() if self.quick else fnn.data.mnist(self.data)
        print(f"data: {len(digits.train_labels):,} training and {len(digits.test_labels):,} test digits")
        return digits

    def subplots(self, rows=1, columns=1, *, width=None, height=None, **options):
        """A figure and its axes, as matplotlib's ``plt.subplots``, but without a window. Sizes in inches."""
        plot.require_matplotlib()
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width or 4.2 * columns, height or 3.2 * rows), layout="constrained")
        return figure, figure.subplots(rows, columns, **options)

    def picture(self, figure, name, caption):
        """Write a figure as ``<out>/<lesson>_<name>.png``."""
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"{self.name}_{name}.png"
        plot.save_figure(figure, path)
        self.pictures.append((path, caption))
