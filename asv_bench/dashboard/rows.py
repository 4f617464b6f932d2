"""What stands in the tables: a row for each kernel and case, for each network, for start-up and memory."""

import itertools
import re
from dataclasses import dataclass, field

from . import changes, links, marks
from .text import is_figure

NOT_KERNELS = ("networks", "startup", "memory")
TINY = "tiny"  # the case that measures what a call costs, not the work

# Least speed-up -> class of its colour in dashboard.css, and what the legend says.
LEVELS = (
    (20.0, "most", "20× or more"),
    (5.0, "more", "5× to 20×"),
    (2.0, "fast", "2× to 5×"),
    (1.05, "some", "up to 2×"),
    (1 / 1.05, "same", "the same (± 5 %)"),
    (0.0, "slow", "slower"),
)


def level(speedup):
    """Class of a speed-up's colour.

    Examples
    --------
    >>> [level(ratio) for ratio in (33.0, 1.0, 0.8, None)]
    ['most', 'same', 'slow', '']
    """
    if not is_figure(speedup):
        return ""
    return next((name for least, name, _ in LEVELS if speedup >= least), LEVELS[-1][1])


@dataclass
class Series:
    """Figures of one benchmark with its parameters, one for each run, None where there is none; less is better."""

    name: str
    case: str
    figures: list
    benchmark: str
    chosen: tuple  # (parameter, value) of the graph's lines
    unit: str
    witness: list = field(default_factory=list)  # NumPy's, in the same runs
    shape: str = ""


@dataclass
class KernelRow:
    """A kernel with a case."""

    family: str
    kernel: str
    case: str  # its name
    shape: str  # of its arrays, in words; empty where the suite does not say it
    numba: float | None
    numpy: float | None
    speedup: float | None
    rate: float | None
    rate_unit: str
    peak: float | None
    numpy_rate: float | None
    numpy_peak: float | None
    series: Series
    links: dict  # what -> address of its graph
    step: tuple | None  # the last beyond noise: (place before, place after, after / before)
    spark: marks.Spark

    @property
    def level(self):
        return level(self.speedup)


@dataclass
class NetworkRow:
    name: str
    numba: float | None  # images/s in training
    numpy: float | None
    speedup: float | None
    predict_numba: float | None  # seconds
    predict_numpy: float | None
    scaling: float | None
    series: Series
    links: dict
    step: tuple | None
    spark: marks.Spark

    @property
    def level(self):
        return level(self.speedup)


@dataclass
class CostRow:
    """Start-up, or memory of a training step."""

    name: str
    value: float | None
    unit: str
    series: Series
    links: dict
    step: tuple | None
    spark: marks.Spark


def owners(benchmarks, family=None):
    """Classes of benchmarks: "family.Class" -> method -> benchmark. Without `family`, those of kernels."""
    found = {}
    for name, benchmark in sorted(benchmarks.items(), key=lambda item: item[0].replace("Forward", " ")):  # before Backward
        owner, _, method = name.rpartition(".")
        module = owner.partition(".")[0]
        if module == family if family else module not in NOT_KERNELS:
            found.setdefault(owner, {})[method] = benchmark
    return found


def title(owner, methods):
    """What to call a class: the first part of its benchmarks' titles, else its name as that of a function.

    Examples
    --------
    >>> title("conv.Conv2dBackwardInput", {})
    'conv2d_backward_input'
    >>> title("networks.Lenet5", {"time_step": {"pretty_name": "LeNet-5: time of a training step"}})
    'LeNet-5'
    """
    for benchmark in methods.values():
        before, colon, _ = (benchmark.get("pretty_name") or "").partition(": ")
        if colon:
            return before
    return re.sub(r"(?<!^)(?=[A-Z])", "_", owner.rpartition(".")[2]).lower()


def values_of(benchmark, parameter):
    """Values of a benchmark's parameter, as strings; none if it does not have it."""
    names = benchmark["param_names"]
    return [value.strip("'") for value in benchmark["params"][names.index(parameter)]] if parameter in names else []


def name_and_shape(case):
    """The two parts of a case's value: a name, and after the first blank the shape, which older results do not have.

    Examples
    --------
    >>> name_and_shape("lenet_conv2 128x6x12x12, 16 filters 5x5"), name_and_shape("tiny")
    (('lenet_conv2', '128x6x12x12, 16 filters 5x5'), ('tiny', ''))
    """
    name, _, shape = case.partition(" ")
    return name, shape.strip()


def _last(configuration, owner, methods, method, *parameters):
    """The figure of the last run, None if there is none."""
    if method not in methods:
        return None
    figure = configuration.history(f"{owner}.{method}", *parameters)[-1]
    return figure and figure.value


def _ratio(numerator, denominator):
    return numerator / denominator if is_figure(numerator) and is_figure(denominator) and denominator > 0 else None


def _graph(configuration, owner, method, chosen=()):
    return links.graph(f"{owner}.{method}", configuration.state, chosen)


def kernels(configuration, benchmarks):
    """Rows of the kernels: of the cases that were run at any commit."""
    rows = []
    for owner, methods in owners(benchmarks).items():
        if "time_kernel" in methods:
            cases = values_of(methods["time_kernel"], "case")
            tried = [case for case in cases if configuration.tried(f"{owner}.time_kernel", case, "numba")]
            rows += [_kernel(configuration, owner, methods, case) for case in tried]
    return rows


def _kernel(configuration, owner, methods, case):
    def last(method, *parameters):
        return _last(configuration, owner, methods, method, case, *parameters)

    name = f"{owner}.time_kernel"
    case_name, shape = name_and_shape(case)
    both = [("case", case), ("impl", "numba"), ("impl", "numpy")]
    figures, witness = (configuration.history(name, case, impl) for impl in ("numba", "numpy"))
    series = Series(title(owner, methods), case_name, figures, name, tuple(both), "seconds", witness, shape)
    numba, numpy = last("time_kernel", "numba"), last("time_kernel", "numpy")
    measured = last("track_speedup")
    rate = "track_gflops" if "track_gflops" in methods else "track_gbytes"
    graphs = {"time": _graph(configuration, owner, "time_kernel", both)}
    if "track_speedup" in methods:
        graphs["speedup"] = _graph(configuration, owner, "track_speedup", [("case", case)])
    for what, method, lines in (
        ("rate", rate, both),
        ("peak", "track_percent_of_copy", [("case", case)]),
        ("peak", "track_percent_of_peak", both),
    ):
        if method in methods:
            graphs[what] = _graph(configuration, owner, method, lines)
    peak = last("track_percent_of_peak", "numba")
    return KernelRow(
        family=owner.partition(".")[0],
        kernel=title(owner, methods),
        case=case_name,
        shape=shape,
        numba=numba,
        numpy=numpy,
        speedup=measured if is_figure(measured) else _ratio(numpy, numba),
        rate=last(rate, "numba"),
        rate_unit=methods[rate]["unit"] if rate in methods else "",
        peak=peak if is_figure(peak) else last("track_percent_of_copy"),
        numpy_rate=last(rate, "numpy"),
        numpy_peak=last("track_percent_of_peak", "numpy"),
        series=series,
        links=graphs,
        step=changes.last_step(figures),
        spark=marks.spark([figure and figure.value for figure in figures]),
    )


def networks(configuration, benchmarks):
    """Rows of the networks."""
    rows = []
    for owner, methods in owners(benchmarks, "networks").items():
        if not configuration.tried(f"{owner}.time_step", "numba"):
            continue

        def last(method, *parameters, owner=owner, methods=methods):
            return _last(configuration, owner, methods, method, *parameters)

        both = (("impl", "numba"), ("impl", "numpy"))
        name = f"{owner}.time_step"
        figures, witness = (configuration.history(name, impl) for impl in ("numba", "numpy"))
        series = Series(title(owner, methods), "training step", figures, name, both, "seconds", witness)
        rates = [last("track_images_per_second", impl) for impl in ("numba", "numpy")]
        measured = {"time": "time_step", "rate": "track_images_per_second", "predict": "time_predict"}
        graphs = {what: _graph(configuration, owner, method, both) for what, method in measured.items() if method in methods}
        if "track_threads_scaling" in methods:
            graphs["scaling"] = _graph(configuration, owner, "track_threads_scaling")
        rows.append(
            NetworkRow(
                name=title(owner, methods),
                numba=rates[0],
                numpy=rates[1],
                speedup=_ratio(*rates),
                predict_numba=last("time_predict", "numba"),
                predict_numpy=last("time_predict", "numpy"),
                scaling=last("track_threads_scaling"),
                series=series,
                links=graphs,
                step=changes.last_step(figures),
                spark=marks.spark([figure and figure.value for figure in figures]),
            )
        )
    return rows


def predictions(configuration, benchmarks):
    """Series of the networks' predictions, for what changed."""
    found = []
    for owner, methods in owners(benchmarks, "networks").items():
        if "time_predict" in methods:
            name, both = f"{owner}.time_predict", (("impl", "numba"), ("impl", "numpy"))
            figures, witness = (configuration.history(name, impl) for impl in ("numba", "numpy"))
            found.append(Series(title(owner, methods), "prediction", figures, name, both, "seconds", witness))
    return found


def costs(configuration, benchmarks):
    """Rows of start-up and of memory; a benchmark ``peakmem_reference`` is subtracted from the others of its class."""
    rows = []
    for family in ("startup", "memory"):
        for owner, methods in owners(benchmarks, family).items():
            for method, benchmark in methods.items():
                if method == "peakmem_reference":
                    continue
                chosen = itertools.product(*(values_of(benchmark, name) for name in benchmark["param_names"]))
                tried = [parameters for parameters in chosen if configuration.tried(f"{owner}.{method}", *parameters)]
                rows += [_cost(configuration, owner, methods, method, parameters) for parameters in tried]
    return rows


def _cost(configuration, owner, methods, method, parameters):
    benchmark = methods[method]
    name = f"{owner}.{method}"
    figures = configuration.history(name, *parameters)
    if method.startswith("peakmem_") and "peakmem_reference" in methods:
        with_parameters = parameters if methods["peakmem_reference"]["params"] else ()
        references = configuration.history(f"{owner}.peakmem_reference", *with_parameters)
        figures = [_less(figure, reference) for figure, reference in zip(figures, references)]
    chosen = tuple(zip(benchmark["param_names"], parameters))
    said = (benchmark.get("pretty_name") or f"{owner.rpartition('.')[2]}.{method}").replace(": ", ", ")
    series = Series(said, ", ".join(parameters), figures, name, chosen, benchmark["unit"])
    return CostRow(
        name=f"{said}, {series.case}" if series.case else said,
        value=figures[-1] and figures[-1].value,
        unit=benchmark["unit"],
        series=series,
        links={"time": links.graph(name, configuration.state, chosen)},
        step=changes.last_step(figures),
        spark=marks.spark([figure and figure.value for figure in figures]),
    )


def _less(figure, reference):
    """Memory beyond the reference. The peak of a process varies by about a hundredth, however little is beyond."""
    if figure is None or reference is None:
        return None
    beyond, spread = max(figure.value - reference.value, 0.0), figure.value / 100
    return type(figure)(beyond, beyond - spread, beyond + spread)
