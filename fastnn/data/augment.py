"""Random crops and mirror images of the samples of an epoch."""

import numpy as np

from .. import kernels
from ..layers.checks import as_int, as_number, as_rng

DTYPES = tuple(map(np.dtype, (np.uint8, np.float32, np.float64)))
_EPOCHS, _CALLS = 0, 1  # separate random streams drawn from one seed


class Augment:
    """Shifts and mirrors images at random: for `Trainer.fit`, or to call on a batch.

    As ``RandomCrop(size, padding=crop)`` and then ``RandomHorizontalFlip(flip)`` of torchvision, the size being that of
    the images: they keep their shape.

    Parameters
    ----------
    crop : int
        Zeros to pad each side with before a window of the image's size is cut out anywhere: shifts of -crop to crop
        pixels in both directions, all equally likely. 0 leaves it out.
    flip : bool or float
        Probability of a mirror image, left for right; True is 0.5.
    seed : int, optional
        Makes the draws depend on nothing else: an epoch of `Trainer.fit` on this seed and the number of the epoch, calls
        on this seed and their order. Without one, they come from the Trainer's seed, and in calls from `rng`.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense.

    Examples
    --------
    >>> images = np.arange(1, 10, dtype=np.uint8).reshape(1, 1, 3, 3)
    >>> Augment(crop=1)(images, rng=3)[0, 0]
    array([[0, 0, 0],
           [2, 3, 0],
           [5, 6, 0]], dtype=uint8)
    >>> Augment(flip=1.0)(images)[0, 0]
    array([[3, 2, 1],
           [6, 5, 4],
           [9, 8, 7]], dtype=uint8)
    >>> bool((Augment(crop=1, seed=4)(images) == Augment(crop=1, seed=4)(images)).all())
    True
    """

    def __init__(self, crop=0, flip=False, seed=None):
        self.crop = as_int(crop, "Augment: crop", 0)
        if isinstance(flip, (bool, np.bool_)):
            flip = 0.5 * flip
        self.flip = as_number(flip, "Augment: flip", 0, 1)
        self.seed = None if seed is None else as_int(seed, "Augment: seed", 0)
        self._calls = None if seed is None else self._generator(_CALLS)

    def _generator(self, *stream):
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=stream))

    def draw_epoch(self, samples, epoch, rng):
        """`draw` for an epoch, counted from 0: from the seed, so that a resumed run finds it again, else from `rng`."""
        return self.draw(samples, rng if self.seed is None else self._generator(_EPOCHS, epoch))

    def draw(self, samples, rng):
        """What happens to each of so many samples: (samples, 3) int64, pixels down, pixels to the right, 1 to mirror."""
        draws = np.empty((samples, 3), np.int64)
        draws[:, :2] = rng.integers(-self.crop, self.crop, (samples, 2), endpoint=True)
        draws[:, 2] = rng.random(samples) < self.flip
        return draws

    def __call__(self, x, rng=None):
        """An augmented copy of a batch.

        Parameters
        ----------
        x : (N, C, H, W) uint8, float32 or float64
        rng : None, int or numpy.random.Generator
            None goes on with the draws of the seed, where there is one.
        """
        x = np.asarray(x)
        self.check("Augment", x)
        x = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
        rng = self._calls if rng is None and self._calls is not None else as_rng(rng, "Augment: rng")
        out, draws = np.empty_like(x), self.draw(len(x), rng)
        kernels.active().image.gather_augmented(out, x, np.arange(len(x)), draws)
        return out

    def check(self, where, x):
        """Raise unless `x` is images that can be augmented.

        Raises
        ------
        TypeError, ValueError
        """
        if x.ndim != 4:
            raise ValueError(f"{where}: augment needs images, x of shape (N, C, H, W); got x.shape={x.shape}")
        if x.dtype.newbyteorder("=") not in DTYPES:
            raise TypeError(f"{where}: augment needs x to be uint8, float32 or float64, got x.dtype={x.dtype}")

    def __repr__(self):
        seed = "" if self.seed is None else f", seed={self.seed}"
        return f"Augment(crop={self.crop}, flip={self.flip:g}{seed})"
