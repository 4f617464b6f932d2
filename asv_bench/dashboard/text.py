"""Figures as text: three digits and a unit; a dash where there is no figure."""

import math

MISSING = "–"
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def is_figure(value):
    """Whether there is a finite figure: benchmarks that failed have None, those that were skipped NaN."""
    return value is not None and math.isfinite(value)


def three_digits(value):
    """
    Examples
    --------
    >>> [three_digits(value) for value in (354474.4, 12.345, 0.0123, 0.0, None, float("nan"))]
    ['354,474', '12.3', '0.0123', '0', '–', '–']
    """
    if not is_figure(value):
        return MISSING
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return f"{value:,.{max(digits, 0)}f}"


def _scaled(value, units):
    if not is_figure(value):
        return MISSING
    size, unit = next((each for each in units if float(f"{abs(value):.3g}") >= each[0]), units[-1])
    return f"{three_digits(value / size)} {unit}"


def seconds(value):
    """
    Examples
    --------
    >>> [seconds(value) for value in (2.5e-6, 0.9996e-3, 0.00999, 31.0, None)]
    ['2.50 µs', '1.00 ms', '9.99 ms', '31.0 s', '–']
    """
    return _scaled(value, _SECONDS)


def size(value):
    """
    Examples
    --------
    >>> [size(value) for value in (512, 1.5e8, None)]
    ['512 B', '150 MB', '–']
    """
    return _scaled(value, _BYTES)


def ratio(value):
    """
    Examples
    --------
    >>> [ratio(value) for value in (14.53, 0.876, None)]
    ['14.5×', '0.88×', '–']
    """
    if not is_figure(value):
        return MISSING
    return f"{value:.2f}×" if value < 9.995 else f"{three_digits(value)}×"


def percent(value):
    """Of something that is given in percent already.

    Examples
    --------
    >>> [percent(value) for value in (74.4, 0.37, None)]
    ['74 %', '0.4 %', '–']
    """
    if not is_figure(value):
        return MISSING
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def change(factor):
    """How much more or less something takes, from the quotient of the two.

    Examples
    --------
    >>> [change(factor) for factor in (1.234, 0.6, 3.4, 0.999, None)]
    ['+23 %', '−40 %', '+240 %', '±0 %', '–']
    """
    if not is_figure(factor):
        return MISSING
    share = round(100 * (factor - 1))
    sign = "+" if share > 0 else "−" if share else "±"
    return f"{sign}{abs(share):,} %"


def in_unit(value, unit):
    """A figure of a benchmark, in its unit as asv has it.

    Examples
    --------
    >>> in_unit(0.31, "seconds"), in_unit(24.0, "s"), in_unit(2e8, "bytes"), in_unit(3200.0, "images/s"), in_unit(1.83, "x")
    ('310 ms', '24.0 s', '200 MB', '3,200 images/s', '1.83×')
    """
    if unit in ("seconds", "s"):
        return seconds(value)
    if unit == "bytes":
        return size(value)
    if unit == "x":
        return ratio(value)
    if unit == "%":
        return percent(value)
    return f"{three_digits(value)} {unit}" if is_figure(value) else MISSING
