"""Metrics: how good predictions are, in NumPy. Names, arguments, defaults and results are sklearn.metrics'.

    accuracy_score, top_k_accuracy_score                how many are right, or among the k best
    confusion_matrix                                    which class is taken for which
    precision_score, recall_score, f1_score,
    precision_recall_fscore_support                     class by class, or averaged
    classification_report                               all of it as a table
    roc_auc_score                                       how well scores tell two classes apart
    mean_squared_error, mean_absolute_error, r2_score   of values instead of classes

What is true comes first, then what was predicted. Classes are given by their labels, integers or strings:
``network.predict(x).argmax(axis=1)``. N samples, C classes, O outputs.
"""

from .checks import UndefinedMetricWarning as UndefinedMetricWarning
from .classification import accuracy_score as accuracy_score
from .classification import confusion_matrix as confusion_matrix
from .classification import f1_score as f1_score
from .classification import precision_recall_fscore_support as precision_recall_fscore_support
from .classification import precision_score as precision_score
from .classification import recall_score as recall_score
from .ranking import roc_auc_score as roc_auc_score
from .ranking import top_k_accuracy_score as top_k_accuracy_score
from .regression import mean_absolute_error as mean_absolute_error
from .regression import mean_squared_error as mean_squared_error
from .regression import r2_score as r2_score
from .report import classification_report as classification_report
