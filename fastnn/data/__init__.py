"""fastnn.data: data sets and their file formats.

mnist(path=None)            handwritten digits: the full set from a folder, else the subset that ships with fastnn
mnist_subset()              that subset
read_idx(path), write_idx(path, array)      the IDX format
Augment(crop=0, flip=False) random crops and mirror images, for `fit`
"""

from .augment import Augment as Augment
from .idx import read_idx as read_idx
from .idx import write_idx as write_idx
from .mnist import Mnist as Mnist
from .mnist import mnist as mnist
from .mnist import mnist_subset as mnist_subset
