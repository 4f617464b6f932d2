# %% [markdown]
# # 12. Classification on small tables
#
# A classifier answers with probabilities, and somebody has to decide. This lesson does both on tables that fit on a page:
# first two classes, with a sigmoid and a threshold, then three, with softmax.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)

# %% [markdown]
# ## Two classes
#
# Twenty students: hours of study, hours of sleep, and whether they passed. Invented, with some luck and bad luck in it.

# %%
STUDENTS = np.array([
    [1.0, 7.5, 0], [1.5, 5.0, 0], [2.0, 8.0, 0], [2.5, 6.0, 0], [3.0, 7.0, 1],
    [3.0, 4.5, 0], [3.5, 6.5, 0], [4.0, 8.5, 1], [4.0, 5.5, 0], [4.5, 7.0, 0],
    [5.0, 7.5, 1], [5.0, 5.0, 1], [5.5, 6.0, 0], [6.0, 8.0, 1], [6.5, 6.5, 1],
    [7.0, 5.0, 0], [7.0, 7.5, 1], [8.0, 6.0, 1], [8.5, 7.0, 1], [9.0, 5.5, 1],
])  # fmt: skip
hours, passed = STUDENTS[:, :2], STUDENTS[:, 2]
X = (hours - hours.mean(axis=0)) / hours.std(axis=0)

# %% [markdown]
# *Logistic regression*: one neuron with a sigmoid, $y = \sigma(a)$, $a = \sum_i x_i w_i + b$, and the binary cross-entropy of
# [lesson 4](#4-loss-functions). Their gradients cancel to something simple, since $\sigma' = y (1 - y)$:
#
# $$ E = -t \log y - (1 - t) \log (1 - y), \qquad
# \frac{\partial E}{\partial a} = \Big(-\frac{t}{y} + \frac{1 - t}{1 - y}\Big)\, y (1 - y) = y - t . $$
#
# The gradient is the error of the answer. So $\partial E / \partial w_i = (y - t)\, x_i$.


# %%
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


weight, bias = np.zeros(2), 0.0
RATE, STEPS = 0.5, 1000
for _ in range(STEPS):
    y = sigmoid(X @ weight + bias)
    weight -= RATE * X.T @ (y - passed) / len(X)
    bias -= RATE * np.mean(y - passed)

probabilities = sigmoid(X @ weight + bias)
print("weights", weight, "bias", round(bias, 8))
print("probabilities to pass", probabilities.round(2))

# %% [markdown]
# In fastnn, `BCEWithLogitsLoss` takes the sigmoid into the loss, which keeps it exact where $y$ is so near to 0 or 1 that
# it is rounded to it, with an infinite logarithm. The network then ends in $a$, the *logit*.

# %%
neuron = fnn.Dense(2, 1, dtype=np.float64)
neuron.params["weight"][...], neuron.params["bias"][...] = 0, 0
network = fnn.Sequential(neuron)
trainer = fnn.Trainer(network, fnn.BCEWithLogitsLoss(), fnn.SGD(lr=RATE))
trainer.fit(X, passed[:, None], epochs=STEPS, batch_size=len(X), shuffle=False, progress=False)
by_network = sigmoid(network.predict(X)[:, 0])
print(f"largest difference in a probability: {np.abs(by_network - probabilities).max():.1e}")

# %% [markdown]
# ## The threshold
#
# Who is predicted to pass? The usual threshold is one half. But the two ways to be wrong need not cost the same, and the
# threshold trades one for the other. Counting the four cases gives the *confusion matrix*; rows are what is true, columns
# what was predicted:
#
# | | predicted to fail | predicted to pass |
# |---|---|---|
# | **failed** | true negatives | false positives |
# | **passed** | false negatives | true positives |
#
# *Precision* is the share of the predicted that are right, TP / (TP + FP). *Recall* is the share of the true that were
# found, TP / (TP + FN). Their harmonic mean is *F1*.


# %%
def count(true, predicted, classes):
    """Confusion matrix: entry [i, j] counts samples of class i predicted as j."""
    matrix = np.zeros((classes, classes), dtype=int)
    for i, j in zip(true, predicted):
        matrix[i, j] += 1
    return matrix


truth = passed.astype(int)
matrices = {}
print("threshold   TN FP FN TP   accuracy precision recall    F1")
for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
    predicted = (probabilities >= threshold).astype(int)
    (tn, fp), (fn, tp) = matrices[threshold] = count(truth, predicted, 2)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    f1 = 2 * precision * recall / (precision + recall)
    figures = (tp + tn) / 20, precision, recall, f1
    print(f"   {threshold}       {tn:2d} {fp:2d} {fn:2d} {tp:2d}  ", "".join(f"   {value:.2f}  " for value in figures))

# %% [markdown]
# A low threshold finds everybody who passes and is often wrong; a high one is right and misses many. (These are the
# students that the neuron was trained on; twenty are too few to lay some aside, so other students may fare worse.)
# `fnn.metrics` has these figures under the names that scikit-learn gave them.

# %%
predicted = (probabilities >= 0.5).astype(int)
library = fnn.metrics.confusion_matrix(truth, predicted)
print(library)
print(f"accuracy  {fnn.metrics.accuracy_score(truth, predicted):.4f}")
print(f"precision {fnn.metrics.precision_score(truth, predicted):.4f}")
print(f"recall    {fnn.metrics.recall_score(truth, predicted):.4f}")
print(f"F1        {fnn.metrics.f1_score(truth, predicted):.4f}")

# %%
figure, (left, right) = lesson.subplots(1, 2, width=9.5)
side = np.linspace(0, 10, 100)
for threshold, style in ((0.1, ":"), (0.5, "-"), (0.9, "--")):
    logit = np.log(threshold / (1 - threshold))  # the plane's points with this probability lie on a line
    z = (side - hours[:, 0].mean()) / hours[:, 0].std()
    border = (logit - bias - weight[0] * z) / weight[1] * hours[:, 1].std() + hours[:, 1].mean()
    left.plot(side, border, style, color="black", label=f"probability {threshold}")
for value, color, name in ((0, "tab:red", "failed"), (1, "tab:blue", "passed")):
    left.plot(*hours[truth == value].T, "o", color=color, label=name)
left.set(xlabel="hours of study", ylabel="hours of sleep", xlim=(0.5, 9.5), ylim=(4, 9))
left.legend(fontsize=8)
thresholds = np.linspace(0.02, 0.98, 97)
rates = [count(truth, (probabilities >= s).astype(int), 2) for s in thresholds]
right.step(thresholds, [m[1, 1] / m[1].sum() for m in rates], label="recall")
right.step(thresholds, [m[1, 1] / max(1, m[:, 1].sum()) for m in rates], label="precision")
right.set(xlabel="threshold", ylabel="share")
right.legend()
lesson.picture(figure, "threshold", "Left: the border is a line, and the threshold moves it. Right: precision against recall")

# %% [markdown]
# ## Three classes
#
# Twenty-four fruits: mass in grams, diameter in centimetres, class 0 (mandarin), 1 (apple), 2 (lemon). With three
# neurons, one for each class, and softmax behind them, the gradient has the same form as before. With
# $y_c = e^{a_c} / \sum_k e^{a_k}$ and $E = -\log y_t$ for a sample of class $t$, and with $[c = t]$ for 1 where $c$ is
# the right class and 0 elsewhere,
#
# $$ E = -a_t + \log \sum_k e^{a_k}, \qquad \frac{\partial E}{\partial a_c} = y_c - [c = t] . $$

# %%
FRUITS = np.array([
    [82, 5.9, 0], [76, 5.7, 0], [95, 6.3, 0], [88, 6.0, 0], [71, 5.5, 0], [90, 6.4, 0], [104, 6.6, 0], [79, 6.1, 0],
    [168, 7.4, 1], [182, 7.6, 1], [150, 7.0, 1], [195, 7.9, 1], [142, 7.1, 1], [176, 7.3, 1], [131, 6.8, 1], [160, 7.5, 1],
    [112, 5.6, 2], [124, 5.9, 2], [98, 5.2, 2], [133, 6.2, 2], [118, 5.5, 2], [107, 5.7, 2], [128, 5.8, 2], [101, 5.9, 2],
])  # fmt: skip
NAMES = ["mandarin", "apple", "lemon"]
measures, kinds = FRUITS[:, :2], FRUITS[:, 2].astype(int)
Z, center, spread = (measures - measures.mean(axis=0)) / measures.std(axis=0), measures.mean(axis=0), measures.std(axis=0)
one_hot = fnn.data.one_hot(kinds, 3, np.float64)


def softmax(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


weights, biases = np.zeros((2, 3)), np.zeros(3)
for _ in range(STEPS):
    da = (softmax(Z @ weights + biases) - one_hot) / len(Z)
    weights -= RATE * Z.T @ da
    biases -= RATE * da.sum(axis=0)
scores = softmax(Z @ weights + biases)
print("weights by hand")
print(weights)

# %% [markdown]
# The same in fastnn. `CrossEntropyLoss` contains the softmax; targets are the class indices.

# %%
layer = fnn.Dense(2, 3, dtype=np.float64)
layer.params["weight"][...], layer.params["bias"][...] = 0, 0
classifier = fnn.Sequential(layer)
trainer = fnn.Trainer(classifier, fnn.CrossEntropyLoss(), fnn.SGD(lr=RATE))
trainer.fit(Z, kinds, epochs=STEPS, batch_size=len(Z), shuffle=False, progress=False)
guesses = classifier.predict(Z).argmax(axis=1)
matrix = fnn.metrics.confusion_matrix(kinds, guesses)
print(f"largest difference in a weight: {np.abs(layer.params['weight'].T - weights).max():.1e}")
print("confusion matrix (rows are true)")
print(matrix)
print(fnn.metrics.classification_report(kinds, guesses, target_names=NAMES))

# %% [markdown]
# The borders between classes are straight lines here too: where two scores are equal, $a_c = a_k$, is a linear equation. A
# hidden layer bends them.

# %%
figure = fnn.plot.decision_regions(
    lambda plane: classifier.predict((plane - center) / spread).argmax(axis=1), measures, kinds, class_names=NAMES
)
lesson.picture(figure, "regions", "Mass and diameter of the fruits, and the class predicted at each point: straight borders")
caption = "Rows are true classes, columns predicted ones: mistakes lie off the diagonal"
lesson.picture(fnn.plot.confusion_matrix(matrix, NAMES), "confusion", caption)
