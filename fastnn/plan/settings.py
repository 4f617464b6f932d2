"""Choices that hold for all plans: `fastnn.config`."""

import contextlib
from typing import NamedTuple

from ..layers.changes import note_options
from ..layers.checks import as_bool


class Settings(NamedTuple):
    """What `config` sets.

    Attributes
    ----------
    plan : bool
        Whether networks train and predict as compiled plans where they can.
    winograd : bool
        Whether plans use Winograd's algorithm for 3x3 convolutions where it is faster.
    """

    plan: bool = True
    winograd: bool = True


_current = Settings()


def current():
    """The settings in force, in all threads."""
    return _current


class _Reset(contextlib.AbstractContextManager):
    """Puts earlier settings back at the end of a ``with`` statement."""

    def __init__(self, before):
        self._before = before

    def __exit__(self, *exception):
        _set(self._before)


def _set(settings):
    global _current
    _current = settings
    note_options()


def config(*, plan=None, winograd=None):
    """Choose how networks run; in a ``with`` statement, until its end.

    Parameters
    ----------
    plan : bool, optional
        False runs networks layer by layer. Results agree to rounding either way.
    winograd : bool, optional
        False computes every convolution directly: 2 to 4 times as many multiplications where Winograd's algorithm would
        be used, and rounding errors about half as large.

    Returns
    -------
    context manager
        Which restores the settings of before.

    Examples
    --------
    >>> import fastnn as fnn
    >>> with fnn.config(winograd=False):
    ...     print(fnn.plan.settings.current())
    Settings(plan=True, winograd=False)
    >>> fnn.plan.settings.current().winograd
    True
    """
    before, given = _current, {"plan": plan, "winograd": winograd}
    _set(before._replace(**{name: as_bool(v, f"config: {name}") for name, v in given.items() if v is not None}))
    return _Reset(before)
