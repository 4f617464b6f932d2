"""What slides over images."""

from ._kernels import Moving


def positions(height, width, window, stride, padding):
    """Rows and columns of a square window's positions: 28, 28, 5, 1, 0 -> (24, 24)."""
    return tuple((size + 2 * padding - window) // stride + 1 for size in (height, width))


def described(size, stride, padding):
    """A square window in words: 3, 2, 1 -> "3x3 stride 2 padding 1"."""
    return f"{size}x{size} stride {stride}" + (f" padding {padding}" if padding else "")


class Sliding(Moving):
    """A kernel that memory bounds, with a window that slides over images."""

    @staticmethod
    def _shape(n, c, h, w, *window):
        return f"{n}x{c}x{h}x{w}, {described(*window)}"
