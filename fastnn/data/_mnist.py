"""What a set of digits is, whatever file it comes from, and what its arrays have to be."""

from typing import NamedTuple

import numpy as np


class Mnist(NamedTuple):
    """The arrays of a set of digits, and where they come from.

    Attributes
    ----------
    train_images : (N, 1, 28, 28) uint8
        0 is paper, 255 is ink. Networks take them as they are: a Trainer scales each batch to 0..1.
    train_labels : (N,) int64
        0 to 9.
    test_images : (M, 1, 28, 28) uint8
    test_labels : (M,) int64
    source : str
        ``"embedded subset"``, ``"full set from FOLDER"`` or the names of the files.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str

    def __repr__(self):
        return f"Mnist({len(self.train_images)} training digits, {len(self.test_images)} test digits, {self.source})"


def check_labels(labels, images, where):
    """Raise ValueError unless there are as many `labels` as `images`, all of them 0 to 9."""
    if len(images) != len(labels):
        raise ValueError(f"{where}: expected {len(images)} labels, one for each image, got {len(labels)}")
    if labels.size and not 0 <= labels.min() <= labels.max() <= 9:
        wrong = labels[(labels < 0) | (labels > 9)]
        raise ValueError(f"{where}: expected labels 0 to 9, got {wrong[0]}")
