"""Output sizes against worked answers, against counting, and against PyTorch's rule for ceil_mode."""

import itertools

import pytest

from fastnn.kernels.geometry import conv_output_size, pool_output_size

# size, kernel, stride, padding, dilation -> outputs
CONV = [
    (28, 5, 1, 0, 1, 24),
    (32, 3, 1, 1, 1, 32),
    (32, 3, 2, 1, 1, 16),
    (7, 7, 1, 0, 1, 1),
    (1, 1, 1, 0, 1, 1),
    (10, 2, 3, 0, 1, 3),
    (10, 3, 1, 0, 2, 6),
    (11, 3, 2, 2, 3, 5),
    (4, 5, 1, 0, 1, 0),
]

# size, kernel, stride, padding, dilation -> outputs without and with ceil_mode
POOL = [
    (4, 2, 2, 0, 1, 2, 2),
    (5, 2, 2, 0, 1, 2, 3),
    (6, 3, 2, 0, 1, 2, 3),
    (6, 3, 3, 1, 1, 2, 3),
    (5, 2, 3, 1, 1, 2, 2),  # a third window would start in the padding on the right
    (1, 1, 5, 0, 1, 1, 1),
    (7, 2, 2, 0, 3, 2, 3),
]


@pytest.mark.parametrize("size, kernel, stride, padding, dilation, outputs", CONV)
def test_conv_output_size(size, kernel, stride, padding, dilation, outputs):
    assert conv_output_size(size, kernel, stride, padding, dilation) == outputs


@pytest.mark.parametrize("size, kernel, stride, padding, dilation, floor, ceil", POOL)
def test_pool_output_size(size, kernel, stride, padding, dilation, floor, ceil):
    assert pool_output_size(size, kernel, stride, padding, dilation, False) == floor
    assert pool_output_size(size, kernel, stride, padding, dilation, True) == ceil


def test_defaults():
    assert conv_output_size(9, 4) == 6
    assert pool_output_size(9, 4, 4) == 2


def test_sizes_count_windows():
    options = itertools.product(range(1, 9), range(1, 5), range(1, 4), range(3), range(1, 3))
    for size, kernel, stride, padding, dilation in options:
        end = size + 2 * padding
        extent = dilation * (kernel - 1) + 1
        if extent > end or 2 * padding > extent:
            continue
        case = size, kernel, stride, padding, dilation
        starts = range(0, end, stride)
        assert conv_output_size(*case) == sum(start + extent <= end for start in starts), case
        # in ceil_mode windows may end outside, up to the first that does, but must start before the right padding
        partly = [start for start in starts if start + extent - stride < end and start < size + padding]
        assert pool_output_size(*case, True) == len(partly), case
