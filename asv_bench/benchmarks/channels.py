"""Some channels from one array into another: what joins branches."""

from ._arrays import normal, ones
from ._kernels import Moving

CASES = {  # N, C, L
    "tiny": (2, 2, 4),
    "lenet_conv1": (128, 6, 24 * 24),
    "vgg_conv1": (32, 32, 32 * 32),
}


class CopyChannels(Moving):
    """All channels of an array into the second half of another's."""

    cases = CASES

    def _arguments(self, n, c, positions):
        return ones(n, 2 * c, positions), normal(n, c, positions), c, 0, c

    def _bytes(self, arguments):
        return 2 * arguments[1].nbytes
