"""The table of precision, recall and F-score of all classes."""

import numpy as np

from ..layers.checks import as_bool, as_int
from .checks import as_classes, as_label_pair
from .classification import precision_recall_fscore_support, present

_COLUMNS = ("precision", "recall", "f1-score", "support")


def classification_report(
    y_true,
    y_pred,
    *,
    labels=None,
    target_names=None,
    sample_weight=None,
    digits=2,
    output_dict=False,
    zero_division="warn",
):
    """Precision, recall, F1 and support of each class, and their averages, as text.

    Parameters
    ----------
    y_true, y_pred : (N,)
        Labels, integers or strings.
    labels : (C,), optional
        Classes, in this order. Default: all that occur, sorted.
    target_names : (C,) of str, optional
        What the classes are called in the table.
    sample_weight : (N,), optional
    digits : int
        Behind the decimal point.
    output_dict : bool
        Return dicts instead of text.
    zero_division : {"warn", 0, 1, nan}
        As for `precision_recall_fscore_support`.

    Returns
    -------
    str, or dict of dicts
        The line "accuracy" stands where "micro avg" would be the same: where `labels` leaves out no class that occurs.

    Raises
    ------
    TypeError, ValueError
        If shapes or kinds do not go together, there are no samples, or there is not one name for each class.

    Examples
    --------
    >>> print(classification_report([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], target_names=["cat", "dog"]))
                  precision    recall  f1-score   support
    <BLANKLINE>
             cat       0.50      0.50      0.50         2
             dog       0.67      0.67      0.67         3
    <BLANKLINE>
        accuracy                           0.60         5
       macro avg       0.58      0.58      0.58         5
    weighted avg       0.60      0.60      0.60         5
    <BLANKLINE>
    """
    name = "classification_report"
    y_true, y_pred = as_label_pair(name, y_true, y_pred)
    digits, output_dict = as_int(digits, f"{name}: digits", 0), as_bool(output_dict, f"{name}: output_dict")
    occurring = present(y_true, y_pred)
    classes = occurring if labels is None else as_classes(name, labels, y_true)
    names = [str(label) for label in (classes if target_names is None else target_names)]
    if len(names) != len(classes):
        raise ValueError(f"{name}: expected {len(classes)} target_names, one for each class, got {len(names)}")

    options = {"labels": classes, "sample_weight": sample_weight, "zero_division": zero_division}
    *scores, support = precision_recall_fscore_support(y_true, y_pred, **options)
    rows = dict(zip(names, zip(*scores, support)))
    averages = {}
    for average in ("micro", "macro", "weighted"):
        means = precision_recall_fscore_support(y_true, y_pred, average=average, **options)[:3]
        heading = "accuracy" if average == "micro" and np.isin(occurring, classes).all() else f"{average} avg"
        averages[heading] = (*means, support.sum())
    return _as_dict(rows | averages) if output_dict else _as_text(zip(names, zip(*scores, support)), averages, digits)


def _as_dict(rows):
    report = {heading: dict(zip(_COLUMNS, map(float, row))) for heading, row in rows.items()}
    if "accuracy" in report:
        report["accuracy"] = report["accuracy"]["precision"]
    return report


def _as_text(rows, averages, digits):
    rows = list(rows)
    width = max(digits, *(len(heading) for heading, _ in rows), *map(len, (*averages, "weighted avg")))

    def line(heading, row):
        scores = (f"{score:.{digits}f}" for score in row[:3])
        cells = ("", "", f"{row[2]:.{digits}f}") if heading == "accuracy" and row is averages.get(heading) else scores
        return f"{heading:>{width}s} " + "".join(f" {cell:>9}" for cell in (*cells, row[3]))

    head = " " * (width + 1) + "".join(f" {column:>9}" for column in _COLUMNS)
    groups = ([head], [line(*row) for row in rows], [line(*row) for row in averages.items()])
    return "\n\n".join("\n".join(group) for group in groups) + "\n"
