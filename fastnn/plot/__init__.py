"""fastnn.plot: pictures of training runs, networks and functions. Needs matplotlib (the extra ``plot``), imported on first use.

training_figure(history, images, labels, predictions)     learning curves, and test images with their predictions
learning_curves(history)                loss and accuracy by epoch, of one run or of several
confusion_matrix(matrix)                which classes are taken for which
images(images, labels, predictions)     a grid of images, mistakes in red
filters(weight)                         the filters of a convolution
activations(network, x)                 what each layer makes of x, as arrays
activation_histograms(activations)      how their values are spread
curves(x, ys)                           functions of one variable
paths(function, points)                 descent on a function of two variables, over its contours
decision_regions(predict, x, y)         which class is predicted where, for samples of two features
plot_profile(profile)                   where the time of a training step goes
save_figure(figure, path)               as a PNG, complete or not at all

Each returns a `matplotlib.figure.Figure`, a notebook shows it; ``path="name.png"`` writes it too. Figures are made without
pyplot: no display is needed, the backend that a user has chosen stays as it is, and there is nothing to close.
"""

from .functions import curves as curves
from .functions import decision_regions as decision_regions
from .functions import paths as paths
from .grids import filters as filters
from .grids import images as images
from .matrices import confusion_matrix as confusion_matrix
from .profiles import PASSES as PASSES
from .profiles import plot_profile as plot_profile
from .spread import activation_histograms as activation_histograms
from .spread import activations as activations
from .style import require_matplotlib as require_matplotlib
from .style import save_figure as save_figure
from .training import COLUMNS as COLUMNS
from .training import ROWS as ROWS
from .training import learning_curves as learning_curves
from .training import training_figure as training_figure
