"""What all benchmark classes inherit: titles and parameters, preparation once, a clock for many calls, a check after each."""

import hashlib
import inspect
import time
from abc import ABC, abstractmethod
from types import FunctionType, MappingProxyType

from . import _measuring

PREFIXES = ("time_", "timeraw_", "mem_", "peakmem_", "track_")  # methods of other names asv passes over without a word


class Benchmark(ABC):
    """Something that is called many times, in ways that parameters choose.

    Classes that only serve others must be abstract: that is how asv knows that they are no benchmarks. A method's parameters
    are its ``param_names``, `without` the values whose first words those are; its title is that of the class and its own
    ``pretty_name``.
    """

    param_names = ()
    choices = MappingProxyType({})  # parameter -> its values

    # One process for each set of parameters: starting it takes longer than measuring.
    rounds = 1
    repeat = (5, 15, 0.3)
    warmup_time = 0.05

    _ready = _compilations = None

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if inspect.isabstract(cls):
            return
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if name.startswith(PREFIXES):
                setattr(cls, name, cls._own(method))

    @classmethod
    def _own(cls, method):
        """A copy of a method with this class's title and parameters: asv looks for them on the function."""
        own = FunctionType(method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__)
        own.__dict__.update(method.__dict__)
        own.__qualname__, own.__doc__ = f"{cls.__qualname__}.{method.__name__}", method.__doc__
        own.pretty_name = f"{cls._title()}: {method.pretty_name}"
        own.param_names = getattr(method, "param_names", cls.param_names)
        without = getattr(method, "without", ())
        own.params = tuple(
            [value for value in cls.choices[name] if value.partition(" ")[0] not in without] for name in own.param_names
        )
        return own

    @classmethod
    @abstractmethod
    def _title(cls):
        """What is called."""

    @abstractmethod
    def _prepare(self, *params):
        """Make the calls that these parameters choose, and everything compiled for them.

        Returns
        -------
        callable
            What ``time_`` methods call, for the length of a sample to be found.
        """

    @property
    def version(self):
        """What asv keeps results apart by: the text of what is measured and how."""
        text = [inspect.getsource(part) for part in type(self).__mro__ if issubclass(part, Benchmark)]
        return hashlib.sha256("".join([*text, repr(dict(self.choices))]).encode()).hexdigest()

    def setup(self, *params):
        """Prepare; asv calls this before every sample, and only the first time it does anything."""
        if self._ready == params:
            return
        _measuring.equal_threads()
        call = self._prepare(*params)
        self._times = _measuring.calls_in_sample(call)
        self._compilations = _measuring.Compilations()
        self._ready = params

    def teardown(self, *params):
        """Fail, which leaves no result, if something was compiled since `setup`."""
        if self._compilations is not None:
            self._compilations.expect_none()

    def timer(self):
        """asv's clock for ``time_`` methods, which make `_times` calls in a row: it goes that much slower."""
        return time.perf_counter() / self._times
