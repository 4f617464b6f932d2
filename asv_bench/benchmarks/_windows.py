"""Sizes of what slides over an image."""


def positions(height, width, window, stride, padding):
    """Rows and columns of a square window's positions: 28, 28, 5, 1, 0 -> (24, 24)."""
    return tuple((size + 2 * padding - window) // stride + 1 for size in (height, width))
