# %% [markdown]
# # 11. Regression
#
# A network that ends in the identity can answer with any number: it does *regression*. The loss is the mean squared error,
# and for a good reason. Say that the data are a function plus noise, $t = f(x) + \varepsilon$ with mean 0 and variance
# $\sigma^2$. Then the expected loss of a prediction $y(x)$ is
#
# $$ \mathbb{E}\,(y - t)^2 = (y - f)^2 + \sigma^2 , $$
#
# for $y - t = (y - f) - \varepsilon$, and the mean of $2 (y - f) \varepsilon$ is 0. It is smallest where the network is
# the function, and even there not 0 but $\sigma^2$. Nobody can predict the noise. An error far above $\sigma^2$ means
# that the network has not yet learned, and one below it *on the training data* that it has begun to learn the noise by
# heart.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)

# %% [markdown]
# ## A noisy cosine
#
# A thousand equidistant points on $[-6, 6]$. Beside $x$ stands a column of ones: its weights are the biases of the first
# layer, which so needs none of its own, $w_0 \cdot 1 + w_1 x$.

# %%
rng = np.random.default_rng(0)
SIGMA = 0.2
x = np.linspace(-6, 6, 1000)
t = np.cos(x) + SIGMA * rng.standard_normal(1000)
X, T = np.column_stack([x, np.ones(1000)]).astype(np.float32), t[:, None].astype(np.float32)

network = fnn.Sequential(
    fnn.Dense(2, 200, bias=False, rng=1),
    fnn.Sigmoid(),
    fnn.Dense(200, 100, rng=2),
    fnn.LeakyReLU(),
    fnn.Dense(100, 1, rng=3),
)
EPOCHS = 150 if lesson.quick else 400
optimizer = fnn.Adam(lr=0.01)


def lower_rate(trainer, logs):
    """Half a cosine from the first rate to 0: large steps first, and none that disturb at the end."""
    optimizer.lr = 0.005 * (1 + np.cos(np.pi * trainer.epoch / EPOCHS))


trainer = fnn.Trainer(network, fnn.MSELoss(), optimizer, seed=0)
history = trainer.fit(X, T, epochs=EPOCHS, batch_size=50, callbacks=[lower_rate], progress=lesson.progress)

y = network.predict(X)[:, 0]
noise = np.mean((t - np.cos(x)) ** 2)
mse = np.mean((y - t) ** 2)
print(f"variance of the noise, drawn {noise:.5f}, true {SIGMA**2:.5f}")
print(f"mean squared error of the network {mse:.5f}")
print(f"mean squared distance from the cosine itself {np.mean((y - np.cos(x)) ** 2):.5f}")

# %% [markdown]
# The network's error is a little below the variance of the noise: 20,000 weights have taken a small part of it for a pattern.
# How far it is from the cosine that made the data says the last line; usually nobody can know that.

# %%
figure, (left, right) = lesson.subplots(1, 2, width=9.5)
left.plot(x, t, ".", color="lightgray", markersize=3, label="data")
left.plot(x, np.cos(x), color="black", linewidth=1, label="cosine")
left.plot(x, y, color="tab:red", linewidth=1.5, label="network")
left.set_xlabel("x")
left.set_ylabel("y")
left.legend(loc="upper right", fontsize=8)
right.semilogy(history["epoch"], history["loss"])
right.axhline(noise, color="gray", linestyle="--", label="variance of the noise")
right.set_xlabel("epoch")
right.set_ylabel("mean squared error")
right.legend()
lesson.picture(
    figure, "cosine", "Left: data, the function behind them and the fit. Right: the loss comes down to the noise and stays"
)

# %% [markdown]
# ## Linear least squares
#
# The smallest network is a single dense layer, $y_n = \sum_i x_{ni} w_i$ (with a constant column for the bias). For it the
# minimum of the squared error needs no descent. Its gradient is 0 where
#
# $$ \frac{\partial}{\partial w_i} \sum_n \Big(\sum_j x_{nj} w_j - t_n\Big)^2
# = 2 \sum_n x_{ni} \Big(\sum_j x_{nj} w_j - t_n\Big) = 0
# \quad\Longleftrightarrow\quad X^\top X\, w = X^\top t , $$
#
# the *normal equations*: as many linear equations as weights. ($X$ is the table with its constant column, `A` in the
# code.) The table holds sixteen flats, invented for this page: area in square metres, rooms, minutes to the centre, and
# the rent.

# %%
TABLE = np.array([
    [31, 1, 12, 512], [38, 1, 25, 491], [42, 2, 8, 668], [47, 2, 30, 574],
    [52, 2, 15, 703], [55, 2, 40, 602], [58, 3, 10, 809], [63, 3, 22, 770],
    [66, 3, 5, 926], [71, 3, 35, 779], [74, 4, 18, 912], [79, 3, 12, 987],
    [84, 4, 28, 941], [90, 4, 9, 1127], [97, 5, 20, 1124], [105, 4, 33, 1089],
], dtype=np.float64)  # fmt: skip
names = ["constant", "area", "rooms", "minutes"]
features, rent = TABLE[:, :3], TABLE[:, 3]

A = np.column_stack([np.ones(len(rent)), features])
w = np.linalg.solve(A.T @ A, A.T @ rent)
print("least squares ", dict(zip(names, w.round(3).tolist())))
print(f"root of the mean squared error: {np.sqrt(np.mean((A @ w - rent) ** 2)):.2f}")

# %% [markdown]
# ## The same by descent
#
# A dense layer trained on the table goes down to the same minimum: there is only one. It does so in reasonable time only if
# the columns have one scale. The squared error's valley is as long in the direction of $w_i$ as the column $x_i$ is small;
# with areas near 70 and rooms near 3 it is a ravine, in which the rate that is safe across is far too small along
# ([lesson 5](#5-gradients-by-differences-and-descent) shows what happens). So: standardise, train, and convert back.

# %%
mean, deviation = features.mean(axis=0), features.std(axis=0)
Z = (features - mean) / deviation
line = fnn.Sequential(fnn.Dense(3, 1, dtype=np.float64, rng=0))
trainer = fnn.Trainer(line, fnn.MSELoss(), fnn.SGD(lr=0.2))
trainer.fit(Z, rent[:, None], epochs=2000, batch_size=16, shuffle=False, progress=False)
slopes = line.params["0.weight"][0] / deviation
by_descent = np.array([line.params["0.bias"][0] - slopes @ mean, *slopes])
print("by descent    ", dict(zip(names, by_descent.round(3).tolist())))
print(f"largest difference from least squares: {np.abs(by_descent - w).max():.1e}")

# %% [markdown]
# ## And a network with a hidden layer?
#
# It fits the sixteen flats better. But a fit is not a prediction. *Leave one out*: train on fifteen, predict the sixteenth,
# sixteen times. The straight line has four weights for sixteen numbers; the network has eighty-one, and with them it can
# follow the noise of each flat.


# %%
def train(Z, rent):
    """A network with one hidden layer for standardised features; returns its prediction function."""
    level, spread = rent.mean(), rent.std()
    network = fnn.Sequential(fnn.Dense(3, 16, dtype=np.float64, rng=1), fnn.Tanh(), fnn.Dense(16, 1, dtype=np.float64, rng=2))
    trainer = fnn.Trainer(network, fnn.MSELoss(), fnn.Adam(lr=0.02))
    targets = ((rent - level) / spread)[:, None]
    trainer.fit(Z, targets, epochs=1000, batch_size=len(Z), shuffle=False, progress=False)
    return lambda z: network.predict(z)[:, 0] * spread + level


def root_mean_square(values):
    return np.sqrt(np.mean(np.square(values)))


fit = {"line": root_mean_square(A @ w - rent), "network": root_mean_square(train(Z, rent)(Z) - rent)}
left_out = {"line": [], "network": []}
for i in range(len(rent)):
    rest = np.arange(len(rent)) != i
    left_out["line"].append(A[i] @ np.linalg.lstsq(A[rest], rent[rest])[0] - rent[i])
    left_out["network"].append((train(Z[rest], rent[rest])(Z[i : i + 1]) - rent[i]).item())
left_out = {name: root_mean_square(errors) for name, errors in left_out.items()}
for name in fit:
    print(f"{name:8s} error on the flats it was fitted to {fit[name]:6.2f}, on those left out {left_out[name]:6.2f}")

# %% [markdown]
# The network comes within a unit of the flats it knows, and is worse than the line on those it does not. Sixteen rows are too
# few for it, and rents here are nearly linear. Try the simplest model first; a network has to earn its weights.
