"""Metrics: worked answers, scikit-learn's results over random tables, and what is refused."""

import inspect
import itertools
import math
import warnings

import numpy as np
import pytest

from fastnn import metrics

NAN = float("nan")

# Three classes:      0  0  0  1  1  2  2  2  2  2
TRUE = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
PRED = np.array([0, 1, 2, 1, 1, 2, 2, 0, 2, 1])


def test_accuracy():
    assert metrics.accuracy_score(TRUE, PRED) == 0.6
    assert metrics.accuracy_score(TRUE, PRED, normalize=False) == 6.0
    weights = [4, 0, 0, 1, 0, 0, 0, 0, 0, 3]
    assert metrics.accuracy_score(TRUE, PRED, sample_weight=weights) == 5 / 8
    assert metrics.accuracy_score(TRUE, PRED, sample_weight=weights, normalize=False) == 5.0
    assert metrics.accuracy_score(["a", "b"], ["a", "c"]) == 0.5
    assert type(metrics.accuracy_score(TRUE, PRED, normalize=False)) is float


def test_confusion_matrix():
    matrix = metrics.confusion_matrix(TRUE, PRED)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 1, 1], [0, 2, 0], [1, 1, 3]]
    assert metrics.confusion_matrix(TRUE, PRED, labels=[2, 0]).tolist() == [[3, 1], [1, 1]]
    assert metrics.confusion_matrix(TRUE, PRED, labels=[7, 1]).tolist() == [[0, 0], [0, 2]]
    halves = metrics.confusion_matrix(TRUE, PRED, sample_weight=np.full(10, 0.5))
    assert halves.dtype == np.float64 and (2 * halves == matrix).all()
    np.testing.assert_allclose(metrics.confusion_matrix(TRUE, PRED, normalize="true"), matrix / [[3], [2], [5]])
    np.testing.assert_allclose(metrics.confusion_matrix(TRUE, PRED, normalize="pred"), matrix / [2, 4, 4])
    np.testing.assert_allclose(metrics.confusion_matrix(TRUE, PRED, normalize="all"), matrix / 10)
    assert metrics.confusion_matrix([1, 1], [1, 0], normalize="true").tolist() == [[0, 0], [0.5, 0.5]]


def test_precision_recall_fscore():
    precision, recall, fscore, support = metrics.precision_recall_fscore_support(TRUE, PRED)
    np.testing.assert_allclose(precision, [1 / 2, 2 / 4, 3 / 4])
    np.testing.assert_allclose(recall, [1 / 3, 2 / 2, 3 / 5])
    np.testing.assert_allclose(fscore, [2 / 5, 4 / 6, 6 / 9])
    assert support.tolist() == [3, 2, 5] and support.dtype == np.int64
    *_, support = metrics.precision_recall_fscore_support(TRUE, PRED, labels=[7], sample_weight=np.ones(10), zero_division=0)
    assert support.tolist() == [0] and support.dtype == np.float64
    assert metrics.precision_score(TRUE, PRED, average="micro") == 0.6
    assert metrics.recall_score(TRUE, PRED, average="macro") == pytest.approx((1 / 3 + 1 + 3 / 5) / 3)
    assert metrics.precision_score(TRUE, PRED, average="weighted") == pytest.approx((3 / 2 + 2 / 2 + 15 / 4) / 10)
    assert metrics.f1_score(TRUE, PRED, average="micro", labels=[2, 0]) == pytest.approx(8 / 14)
    # Two classes, the second one or another positive.
    true, pred = [1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0]
    assert metrics.precision_score(true, pred) == metrics.recall_score(true, pred) == pytest.approx(2 / 3)
    assert metrics.f1_score(true, pred, pos_label=0) == 0.75
    found = metrics.precision_recall_fscore_support(true, [1, 1, 0, 1, 1, 0, 0], beta=2, average="binary")
    assert found == (0.5, pytest.approx(2 / 3), pytest.approx(5 * 2 / (5 * 2 + 4 * 1 + 2)), None)


def test_division_by_zero():
    """Nobody takes anything for class 2; nobody is of class 3."""
    true, pred, labels = [0, 1, 2], [0, 1, 0], [0, 1, 2, 3]
    with pytest.warns(metrics.UndefinedMetricWarning, match="precision_score: the precision is set to 0 where there are no"):
        assert metrics.precision_score(true, pred, labels=labels, average=None).tolist() == [0.5, 1, 0, 0]
    assert metrics.precision_score(true, pred, labels=labels, average=None, zero_division=1).tolist() == [0.5, 1, 1, 1]
    assert metrics.recall_score(true, pred, labels=labels, average="macro", zero_division=0) == 0.5
    assert metrics.recall_score(true, pred, labels=labels, average="macro", zero_division=NAN) == pytest.approx(2 / 3)
    assert metrics.f1_score(true, pred, labels=labels, average=None, zero_division=1).tolist() == pytest.approx(
        [2 / 3, 1, 0, 1]
    )
    assert math.isnan(metrics.recall_score(true, pred, labels=[3], average="macro", zero_division=NAN))


def test_report():
    report = metrics.classification_report(TRUE, PRED, target_names=["zero", "one", "a long name"], digits=3)
    assert report.splitlines() == [
        "              precision    recall  f1-score   support",
        "",
        "        zero      0.500     0.333     0.400         3",
        "         one      0.500     1.000     0.667         2",
        " a long name      0.750     0.600     0.667         5",
        "",
        "    accuracy                          0.600        10",
        "   macro avg      0.583     0.644     0.578        10",
        "weighted avg      0.625     0.600     0.587        10",
    ]
    assert report.endswith("\n")
    table = metrics.classification_report(TRUE, PRED, output_dict=True)
    assert table["accuracy"] == 0.6 and table["2"] == pytest.approx(
        {"precision": 0.75, "recall": 0.6, "f1-score": 2 / 3, "support": 5.0}
    )
    assert "micro avg" in metrics.classification_report(TRUE, PRED, labels=[0, 1])


SCORES = np.array([[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]])


def test_top_k_accuracy():
    true = [0, 1, 2, 2]
    assert [metrics.top_k_accuracy_score(true, SCORES, k=k) for k in (1, 2)] == [0.5, 0.75]
    assert metrics.top_k_accuracy_score(true, SCORES, normalize=False) == 3.0
    assert metrics.top_k_accuracy_score(true, SCORES, sample_weight=[1, 1, 1, 5]) == 3 / 8
    assert metrics.top_k_accuracy_score([1, 2], SCORES[2:], labels=[0, 1, 2]) == 0.5
    assert metrics.top_k_accuracy_score(["a", "c"], [[1, 1, 1], [1, 1, 1]], k=1, labels=["a", "b", "c"]) == 0.5
    with pytest.warns(metrics.UndefinedMetricWarning, match="k=3 and 3 classes"):
        assert metrics.top_k_accuracy_score(true, SCORES, k=3) == 1.0


def test_top_k_accuracy_of_two_classes():
    assert metrics.top_k_accuracy_score([0, 1, 1, 0], [0.1, 0.6, 0.4, 0.5], k=1) == 0.75
    assert metrics.top_k_accuracy_score([0, 1, 1, 0], [-3, 0.1, 0.4, 0.5], k=1) == 0.75  # no probabilities: above 0
    assert metrics.top_k_accuracy_score([0, 1, 1], [[2, 1], [1, 2], [2, 1]], k=1) == pytest.approx(2 / 3)
    assert metrics.top_k_accuracy_score([0, 0], [0.2, 0.9], k=1, labels=[0, 1]) == 0.5


def test_roc_auc():
    assert metrics.roc_auc_score([0, 0, 1, 1], [1, 2, 3, 4]) == 1.0
    assert metrics.roc_auc_score(["b", "b", "a", "a"], [1, 2, 3, 4]) == 0.0
    assert metrics.roc_auc_score([0, 1, 0, 1], [5, 5, 5, 5]) == 0.5
    assert metrics.roc_auc_score([0, 0, 1, 1], [1, 3, 2, -np.inf], sample_weight=[3, 1, 1, 0]) == 0.75
    with pytest.warns(metrics.UndefinedMetricWarning, match="only one class"):
        assert math.isnan(metrics.roc_auc_score([1, 1], [1, 2]))


def test_errors_of_values():
    true, pred = np.array([[0.5, 1], [-1, 1], [7, -6]]), np.array([[0, 2], [-1, 2], [8, -5]])
    assert metrics.mean_squared_error(true, pred) == pytest.approx((1.25 / 3 + 1) / 2)
    assert metrics.mean_squared_error(true, pred, multioutput="raw_values").tolist() == pytest.approx([1.25 / 3, 1])
    assert metrics.mean_absolute_error(true, pred) == 0.75
    assert metrics.mean_absolute_error(true, pred, multioutput=[3, 1]) == 0.625
    assert metrics.mean_absolute_error(true, pred, sample_weight=[0, 2, 0]) == 0.5
    assert metrics.mean_squared_error(np.uint8([0, 5]), np.uint8([2, 0])) == 14.5  # no wrapping around
    assert metrics.mean_squared_error([1, 2], [[1], [4]]) == 2.0


def test_r2():
    assert metrics.r2_score([1, 2, 3], [1, 2, 3]) == 1.0
    assert metrics.r2_score([1, 2, 3], [2, 2, 2]) == 0.0
    assert metrics.r2_score([1, 2, 3], [3, 2, 1]) == -3.0
    assert metrics.r2_score([5, 5], [5, 5]) == 1.0 and metrics.r2_score([5, 5], [5, 6]) == 0.0
    assert math.isnan(metrics.r2_score([5, 5], [5, 5], force_finite=False))
    assert metrics.r2_score([5, 5], [5, 6], force_finite=False) == -math.inf
    true, pred = [[0, 0], [2, 4]], [[0, 0], [2, 2]]
    assert metrics.r2_score(true, pred, multioutput="raw_values").tolist() == [1.0, 0.5]
    assert metrics.r2_score(true, pred, multioutput="variance_weighted") == 0.6
    with pytest.warns(metrics.UndefinedMetricWarning, match="single sample"):
        assert math.isnan(metrics.r2_score([1], [1]))


def test_lists_arrays_and_views_give_the_same():
    for convert in (list, np.int8, np.float64, lambda y: np.asarray(y, object), lambda y: np.repeat(y, 2)[::2]):
        assert metrics.confusion_matrix(convert(TRUE), PRED).tolist() == metrics.confusion_matrix(TRUE, PRED).tolist()
    assert metrics.accuracy_score(np.array(["a", "b"], object), ["a", "b"]) == 1.0
    assert metrics.f1_score([True, False, True], [True, True, True]) == 0.8


# --- scikit-learn


@pytest.fixture
def theirs():
    return pytest.importorskip("sklearn.metrics")


def tables(rng, count):
    """(y_true, y_pred, labels, weights): classes missing on one side, labels unsorted, too few or too many."""
    kinds = {
        "int": np.array([0, 1, 2, 3, 4]),
        "gaps": np.array([-7, 3, 4, 100, 12]),
        "str": np.array(["pear", "fig", "apple", "plum", "kiwi"]),
    }
    for _ in range(count):
        names = kinds[rng.choice(list(kinds))][: rng.integers(2, 6)]
        n = int(rng.integers(1, 40))
        true, pred = (rng.choice(rng.choice(names, rng.integers(1, len(names) + 1)), n) for _ in range(2))
        labels = rng.permutation(names)[: rng.integers(1, len(names) + 1)] if rng.random() < 0.5 else None
        if labels is not None and not np.isin(labels, true).any():
            labels = rng.permutation(names)
        weights = [None, rng.random(n) + 0.01, rng.integers(1, 5, n)][rng.integers(3)]
        yield true, pred, labels, weights


def outcome(function, *args, **options):
    """What a function returns, and whether it warns of an undefined metric; the kind of its error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **options)
        except ValueError:
            return "ValueError", None
    return result, any("Undefined" in w.category.__name__ for w in caught)


def assert_same(ours, theirs, *args, **options):
    (actual, warned), (expected, they_warned) = outcome(ours, *args, **options), outcome(theirs, *args, **options)
    if isinstance(expected, tuple):
        for one, other in zip(actual, expected):
            assert (one is None) == (other is None)
            if one is not None:
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
    elif isinstance(expected, str):
        assert actual == expected
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key, value in expected.items():
            assert actual[key] == pytest.approx(value, rel=1e-12)
    else:
        assert np.shape(actual) == np.shape(expected)
        assert np.asarray(actual).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)
    assert warned == they_warned


def test_signatures_are_scikit_learns(theirs):
    for name in metrics.__dict__:
        if hasattr(theirs, name) and inspect.isfunction(getattr(metrics, name)):
            ours = inspect.signature(getattr(metrics, name)).parameters
            full = inspect.signature(getattr(theirs, name)).parameters
            assert [(p.name, p.default, p.kind) for p in ours.values()] == [
                (p.name, p.default, p.kind) for p in full.values() if p.name in ours
            ]
            assert set(full) - set(ours) <= {"average", "max_fpr", "multi_class", "labels"}


def test_confusion_and_accuracy_as_scikit_learn(theirs, rng):
    for true, pred, labels, weights in tables(rng, 150):
        for normalize in (None, "true", "pred", "all"):
            options = {"labels": labels, "sample_weight": weights, "normalize": normalize}
            assert_same(metrics.confusion_matrix, theirs.confusion_matrix, true, pred, **options)
        for normalize in (True, False):
            options = {"sample_weight": weights, "normalize": normalize}
            assert_same(metrics.accuracy_score, theirs.accuracy_score, true, pred, **options)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_scores_as_scikit_learn(theirs, rng, average):
    for true, pred, labels, weights in tables(rng, 40):
        for zero_division in ("warn", 0, 1, NAN):
            options = {"labels": labels, "sample_weight": weights, "average": average, "zero_division": zero_division}
            for name in ("precision_score", "recall_score", "f1_score", "precision_recall_fscore_support"):
                assert_same(getattr(metrics, name), getattr(theirs, name), true, pred, **options)
        for beta in (0, 0.5, 3, math.inf):
            options = {"labels": labels, "average": average, "beta": beta, "warn_for": ()}
            ours, other = metrics.precision_recall_fscore_support, theirs.precision_recall_fscore_support
            assert_same(ours, other, true, pred, **options)


def test_binary_scores_as_scikit_learn(theirs, rng):
    kinds = (np.array([0, 1]), np.array(["no", "yes"]), np.array([0, 1, 2]), np.array([1]), np.array([0]))
    for names, n, weighted in itertools.product(kinds, (1, 2, 3, 20), (False, True)):
        true, pred = rng.choice(names, n), rng.choice(names, n)
        weights = rng.random(n) + 0.01 if weighted else None
        for pos_label, name in itertools.product((0, 1, "yes", 5), ("precision_score", "recall_score", "f1_score")):
            if isinstance(pos_label, str) != isinstance(names[0], str) and len({*true, *pred}) < 2:
                continue  # another kind of label: here an error
            options = {"pos_label": pos_label, "sample_weight": weights}
            assert_same(getattr(metrics, name), getattr(theirs, name), true, pred, **options)


@pytest.mark.parametrize("digits", [0, 2, 15])
def test_reports_as_scikit_learn(theirs, rng, digits):
    for true, pred, labels, weights in tables(rng, 25):
        classes = np.union1d(true, pred) if labels is None else labels
        for names in (None, ["a class with a long name", *"bcdef"][: len(classes)]):
            for as_dict, zero_division in itertools.product((True, False), (0, "warn", NAN)):
                if as_dict and zero_division is NAN:
                    continue  # NaN equals nothing
                if not as_dict and not (true == pred).any():
                    continue  # support is printed as floats there, where nothing at all is right
                options = {"labels": labels, "target_names": names, "sample_weight": weights, "digits": digits}
                options |= {"output_dict": as_dict, "zero_division": zero_division}
                weighted = weights is not None and weights.dtype.kind == "f"
                if weighted and not as_dict:
                    options["sample_weight"] = np.ceil(weights)  # sums print with all digits
                assert_same(metrics.classification_report, theirs.classification_report, true, pred, **options)


def test_top_k_as_scikit_learn(theirs, rng):
    for true, _, _, _ in tables(rng, 150):
        labels = np.unique(true)
        if rng.random() < 0.5:
            labels = np.union1d(labels, ["zebra"] if true.dtype.kind == "U" else [1000])
        shape = (len(true), len(labels)) if len(labels) > 2 else len(true)
        scores = rng.integers(0, 4, shape) / (3 if rng.random() < 0.5 else 1) - (rng.random() < 0.5)
        weights = rng.random(len(true)) if rng.random() < 0.5 else None
        for k, normalize in itertools.product((1, 2, 3, 9), (True, False)):
            options = {"k": k, "normalize": normalize, "labels": labels, "sample_weight": weights}
            if len(labels) > 1:
                assert_same(metrics.top_k_accuracy_score, theirs.top_k_accuracy_score, true, scores, **options)


def test_roc_auc_as_scikit_learn(theirs, rng):
    for n, ties, weighted in itertools.product((1, 2, 5, 200), (2, 5, 10_000), (False, True)):
        true, scores = rng.integers(0, 2, n), rng.integers(0, ties, n) / ties
        options = {"sample_weight": rng.random(n) if weighted else None}
        for labels in (true, np.array(["x", "a"])[true]):
            assert_same(metrics.roc_auc_score, theirs.roc_auc_score, labels, scores, **options)


def test_errors_of_values_as_scikit_learn(theirs, rng):
    for n, outputs, weighted in itertools.product((2, 3, 50), (None, 1, 3), (False, True)):
        shape = (n,) if outputs is None else (n, outputs)
        true, pred = rng.standard_normal(shape), rng.standard_normal(shape)
        if outputs == 3:
            true[:, 1] = pred[:, 1] = 4.0
            true[:, 2] = 2.0
        options = {"sample_weight": rng.random(n) if weighted else None}
        weights = rng.random(outputs or 1)
        for name in ("mean_squared_error", "mean_absolute_error", "r2_score"):
            for multioutput in ("uniform_average", "raw_values", weights, *(["variance_weighted"] * (name == "r2_score"))):
                if multioutput is weights and outputs != 3:
                    continue  # refused there: weights of a single output
                options["multioutput"] = multioutput
                assert_same(getattr(metrics, name), getattr(theirs, name), true, pred, **options)


# --- what is refused

LABELLED = ["accuracy_score", "confusion_matrix", "precision_recall_fscore_support", "recall_score", "classification_report"]
WRONG_LABELS = [
    ([0, 1], [0, 1, 1], ValueError, r"expected as many predictions as samples, 2, got y_pred.shape=\(3,\)"),
    ([0, 1], [[0.2, 0.8], [0.6, 0.4]], ValueError, r"y_pred.shape=\(2, 2\); take scores.argmax\(axis=1\)"),
    ([[[0]]], [0], ValueError, r"expected y_true to be labels of shape \(N,\), got y_true.shape=\(1, 1, 1\)"),
    ([], [], ValueError, "expected at least one sample, got none"),
    ([0, 1], [0.2, 0.9], ValueError, "expected y_pred to be labels, got floats that are no whole numbers"),
    ([0, np.nan], [0, 1], ValueError, "expected y_true to be labels, got floats"),
    (["a", "b"], [0, 1], TypeError, "expected y_true and y_pred to be labels of one kind, got <U1 and int64"),
    (np.array(["a", 1], object), ["a", "b"], TypeError, "expected y_true to be all strings or all numbers"),
    ([1j], [0], TypeError, "expected y_true to be integers or strings, got complex128"),
]


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("y_true, y_pred, error, message", WRONG_LABELS)
def test_wrong_labels_are_refused(name, y_true, y_pred, error, message):
    with pytest.raises(error, match=f"^{name}: .*{message}"):
        getattr(metrics, name)(y_true, y_pred)


WRONG = [
    ("accuracy_score", {"normalize": 1}, TypeError, "normalize must be True or False"),
    ("accuracy_score", {"sample_weight": [1, 2]}, ValueError, r"expected 3 sample weights, got sample_weight.shape=\(2,\)"),
    ("accuracy_score", {"sample_weight": [1, -1, 1]}, ValueError, "finite sample weights of at least 0"),
    ("accuracy_score", {"sample_weight": [0, 0, 0]}, ValueError, "some of them above"),
    ("accuracy_score", {"sample_weight": ["1", "2", "3"]}, TypeError, "sample_weight to be numbers"),
    ("confusion_matrix", {"normalize": "rows"}, ValueError, "normalize to be one of 'true', 'pred', 'all', None; got 'rows'"),
    ("confusion_matrix", {"labels": []}, ValueError, "labels to name at least one class"),
    ("confusion_matrix", {"labels": [0, 0, 1]}, ValueError, r"expected different labels, got \[0, 0, 1\]"),
    ("confusion_matrix", {"labels": ["0", "1"]}, TypeError, "y_true and labels to be labels of one kind"),
    ("confusion_matrix", {"labels": [8, 9]}, ValueError, r"at least one of the labels in y_true, got labels=\[8, 9\]"),
    ("f1_score", {}, ValueError, "average='binary' is for two classes, got 3"),
    ("f1_score", {"average": "samples"}, ValueError, "average to be one of None, 'binary', 'micro'"),
    ("f1_score", {"average": "micro", "zero_division": 2}, ValueError, "zero_division to be 'warn', 0, 1 or nan, got 2"),
    ("precision_recall_fscore_support", {"beta": -1}, ValueError, "beta must be at least 0"),
    ("classification_report", {"target_names": ["a"]}, ValueError, "expected 3 target_names, one for each class, got 1"),
    ("classification_report", {"digits": -1}, ValueError, "digits must be at least 0"),
    ("classification_report", {"output_dict": "yes"}, TypeError, "output_dict must be True or False"),
    ("mean_squared_error", {"multioutput": "variance_weighted"}, ValueError, "multioutput to be one of 'raw_values'"),
    ("mean_absolute_error", {"multioutput": [1, 2]}, ValueError, "multioutput to have 1 weights"),
    ("r2_score", {"force_finite": None}, TypeError, "force_finite must be True or False"),
    ("top_k_accuracy_score", {"k": 0}, ValueError, "k must be at least 1"),
]


@pytest.mark.parametrize("name, options, error, message", WRONG)
def test_wrong_options_are_refused(name, options, error, message):
    pred = SCORES[:3] if name == "top_k_accuracy_score" else [0, 2, 1]
    with pytest.raises(error, match=f"^{name}: .*{message}"):
        getattr(metrics, name)([0, 1, 2], pred, **options)


WRONG_SCORES = [
    ("top_k_accuracy_score", [0, 1, 2], SCORES, {}, r"scores for 3 samples, got y_score.shape=\(4, 3\)"),
    ("top_k_accuracy_score", [0, 1, 1, 1], SCORES, {}, r"expected scores of 2 classes, .* labels= names those"),
    ("top_k_accuracy_score", [0, 1, 2, 0], SCORES[:, 0], {}, r"expected scores of 3 classes, got y_score.shape=\(4,\)"),
    ("top_k_accuracy_score", [0, 1, 2, 0], SCORES, {"labels": [1, 0, 2]}, "labels to be sorted"),
    ("top_k_accuracy_score", [0, 1, 2, 7], SCORES, {"labels": [0, 1, 2]}, "all of y_true among the labels"),
    ("top_k_accuracy_score", [0, 1, 2, 2], SCORES * np.nan, {}, "numbers in y_score, got NaN"),
    ("top_k_accuracy_score", [], np.empty((0, 3)), {}, "at least one sample"),
    ("roc_auc_score", [0, 1, 2], [1, 2, 3], {}, "expected two classes, got 3"),
    ("roc_auc_score", [0, 1], SCORES[:2], {}, r"scores of shape \(N,\), those of the second class"),
    ("roc_auc_score", [0, 1], [np.nan, 1], {}, "got NaN"),
    ("mean_squared_error", [1, 2], [1, 2, 3], {}, r"y_pred of the shape of y_true, \(2,\), got y_pred.shape=\(3,\)"),
    ("mean_squared_error", [], [], {}, "at least one sample"),
    ("mean_squared_error", [1, np.inf], [1, 2], {}, "finite numbers in y_true"),
    ("mean_squared_error", np.ones((2, 2, 2)), np.ones((2, 2, 2)), {}, r"y_true of shape \(N,\) or \(N, O\)"),
    ("r2_score", [[1, 2], [3, 4]], [[1, 2, 3], [3, 4, 5]], {}, "y_pred of the shape of y_true"),
]


@pytest.mark.parametrize("name, y_true, y_pred, options, message", WRONG_SCORES)
def test_wrong_scores_are_refused(name, y_true, y_pred, options, message):
    with pytest.raises(ValueError, match=f"^{name}: .*{message}"):
        getattr(metrics, name)(y_true, y_pred, **options)


def test_pos_label_without_effect_is_warned_of():
    with pytest.warns(UserWarning, match="pos_label=2 counts only with average='binary'"):
        metrics.recall_score(TRUE, PRED, average="macro", pos_label=2)
    with pytest.raises(ValueError, match=r"f1_score: expected pos_label to be one of \['a', 'b'\], got 1"):
        metrics.f1_score(["a", "b"], ["a", "a"])
