"""The progress bar on standard error: of an epoch, with loss, accuracy and images per second, or of other long work."""

import functools
import time

REFRESH_SECONDS = 0.05  # below the 0.1 s of tqdm, so that what it draws is fresh


@functools.cache
def _bar_class():
    from tqdm import tqdm  # here, so that importing fastnn does not wait for it

    class Bar(tqdm):
        monitor_interval = 0  # no watching thread: a process that only trains stays safe to fork

    return Bar


class Progress:
    """A tqdm bar over the samples of one epoch, or over other things, or nothing when not `shown`.

    Parameters
    ----------
    shown : bool
    title : str
    total : int
        Samples of the epoch.
    start : int
        Samples done before.
    unit : str
        What is counted, with a space in front.

    Examples
    --------
    >>> bar = Progress(False, "epoch 1/1", 10)
    >>> bar.advance(10, lambda: {"loss": 0.5})
    >>> bar.close({"loss": 0.5})
    """

    def __init__(self, shown, title, total, start=0, unit=" images"):
        self._bar = None
        self._next = 0.0
        if shown:
            self._bar = _bar_class()(total=total, initial=start, desc=title, unit=unit, dynamic_ncols=True)

    def advance(self, samples, figures):
        """Count `samples`; `figures()` gives the dict to show, and is asked only a few times a second."""
        if self._bar is None:
            return
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REFRESH_SECONDS
            self._bar.set_postfix_str(_text(figures()), refresh=False)
        self._bar.update(samples)

    def close(self, figures=None):
        """Show the final figures and end the bar's line."""
        if self._bar is None:
            return
        if figures:
            self._bar.set_postfix_str(_text(figures), refresh=True)
        self._bar.close()


def _text(figures):
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
