"""fastnn.data: data sets, their file formats, and what is done with them before training.

Data sets:
    mnist(path=None)            handwritten digits: the full set from a folder, else the subset that ships with fastnn
    mnist_subset()              that subset
    read_mnist_csv(train_path, test_path), read_mnist_pickle(path)      the same digits in other files
    cifar10(path=None)          small photographs, from the published files
    generated_cifar10()         shapes and gratings in the form of CIFAR-10, without any file

Files:
    read_idx(path), write_idx(path, array)      the IDX format
    read_pickle(path)           arrays and plain data from a pickle file, which can run nothing
    read_csv(path)              a table with named columns

On the way to training:
    train_test_split(*arrays)   scikit-learn's
    standardize(x)              mean 0 and standard deviation 1
    one_hot(labels)             class indices as vectors
    batches(x, y)               for training loops of one's own
    Augment(crop=0, flip=False) random crops and mirror images, for `fit`
"""

from .augment import Augment as Augment
from .batches import batches as batches
from .cifar import Cifar10 as Cifar10
from .cifar import cifar10 as cifar10
from .encode import one_hot as one_hot
from .generated_cifar import generated_cifar10 as generated_cifar10
from .idx import read_idx as read_idx
from .idx import write_idx as write_idx
from .mnist import Mnist as Mnist
from .mnist import mnist as mnist
from .mnist import mnist_subset as mnist_subset
from .mnist_csv import read_mnist_csv as read_mnist_csv
from .mnist_pickle import MnistPart as MnistPart
from .mnist_pickle import MnistSplits as MnistSplits
from .mnist_pickle import read_mnist_pickle as read_mnist_pickle
from .pickles import read_pickle as read_pickle
from .split import train_test_split as train_test_split
from .standardize import standardize as standardize
from .table import read_csv as read_csv
