# %% [markdown]
# # 9. XOR, learned
#
# [Lesson 1](#1-the-perceptron) wired XOR by hand. Here a network finds weights by itself: two inputs, three hidden neurons,
# one output, $\tanh$ behind both layers,
#
# $$ a^{(1)} = x\, w^{(1)} + b^{(1)}, \quad z = \tanh a^{(1)}, \qquad
# a^{(2)} = z\, w^{(2)} + b^{(2)}, \quad y = \tanh a^{(2)}, \qquad E = (y - t)^2 . $$
#
# Three hidden neurons are one more than XOR needs. With two, every neuron has to take its part, and from unlucky initial
# values none can change over; the third is slack, and slack makes learning easier.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float64)
T = np.array([[0], [1], [1], [0]], dtype=np.float64)
EPOCHS, RATE = 1000, 0.1

rng = np.random.default_rng(2)
weight1, bias1 = rng.uniform(-0.5, 0.5, (2, 3)), rng.uniform(-0.5, 0.5, 3)
weight2, bias2 = rng.uniform(-0.5, 0.5, (3, 1)), rng.uniform(-0.5, 0.5, 1)
initial = [weight1.copy(), bias1.copy(), weight2.copy(), bias2.copy()]

# %% [markdown]
# ## From nothing
#
# The backward pass is that of [lesson 6](#6-backpropagation-by-hand), with $\tanh' = 1 - \tanh^2$, which needs only what the
# forward pass has computed anyway:
#
# $$ \frac{\partial E}{\partial y} = 2\,(y - t), \qquad
# \frac{\partial E}{\partial a^{(2)}} = \frac{\partial E}{\partial y}\,(1 - y^2), \qquad
# \frac{\partial E}{\partial a^{(1)}_j} = \frac{\partial E}{\partial a^{(2)}}\, w^{(2)}_j\,(1 - z_j^2), $$
#
# and each weight's gradient is its input times the gradient of the sum $a$ that it goes into. The weights change after
# *every sample*. That is stochastic gradient descent in its first meaning: the four errors are not averaged, each has its
# own step.


# %%
def train_on(x, t):
    """One step on one sample; returns its error."""
    z = np.tanh(x @ weight1 + bias1)
    y = np.tanh(z @ weight2 + bias2)

    dy = 2 * (y - t)
    da2 = dy * (1 - y**2)
    da1 = da2 @ weight2.T * (1 - z**2)  # before weight2 changes: the gradient is taken at the old weights

    weight2[...] -= RATE * np.outer(z, da2)
    bias2[...] -= RATE * da2
    weight1[...] -= RATE * np.outer(x, da1)
    bias1[...] -= RATE * da1
    return ((y - t) ** 2).item()


errors = []
for _ in range(EPOCHS):
    errors.append(np.mean([train_on(x, t) for x, t in zip(X, T)]))

outputs = np.tanh(np.tanh(X @ weight1 + bias1) @ weight2 + bias2)[:, 0]
print(f"mean error after epoch 1: {errors[0]:.6f}, after epoch {EPOCHS}: {errors[-1]:.6f}")
print("outputs", outputs.round(3))

# %% [markdown]
# ## The same in ten lines
#
# A `Network` grows with `add`. Four samples in their order, one to a batch, are the updates above.

# %%
network = fnn.Network()
network.add(fnn.Dense(2, 3, dtype=np.float64))
network.add(fnn.Tanh())
network.add(fnn.Dense(3, 1, dtype=np.float64))
network.add(fnn.Tanh())
for name, value in zip(network.params, initial):
    network.params[name] = value.T  # the same start as above; without this line, one of its own
trainer = fnn.Trainer(network, fnn.MSELoss(), fnn.SGD(lr=RATE))
history = trainer.fit(X, T, epochs=EPOCHS, batch_size=1, shuffle=False, progress=False)
predictions = network.predict(X)[:, 0]
print("predictions", predictions.round(3), f"mean error {history['loss'][-1]:.6f}")

# %%
difference = np.abs(np.array(history["loss"]) - errors).max()
print(f"largest difference between the two runs, over {EPOCHS} epochs: {difference:.1e}")

# %% [markdown]
# ## What it has learned
#
# The error stays on a plateau first: near the start the network is almost linear, and the best linear answer to XOR is the
# same output for all four inputs. Then two hidden neurons part, and it falls. On the right, the output over the whole plane:
# the two corners that mean 1 lie on a ridge of their own, which no single straight line could cut out.

# %%
figure, (left, right) = lesson.subplots(1, 2)
left.semilogy(range(1, EPOCHS + 1), errors, label="by hand")
left.semilogy(history["epoch"], history["loss"], "--", label="fastnn")
left.axhline(0.001, color="gray", linewidth=0.8)
left.set_xlabel("epoch")
left.set_ylabel("mean error")
left.legend()

side = np.linspace(-0.3, 1.3, 81)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
height = network.predict(plane).reshape(81, 81)
shown = right.contourf(side, side, height, levels=np.linspace(-0.6, 1.05, 12), cmap="viridis", extend="both")
right.scatter(*X.T, c=T[:, 0], cmap="gray", edgecolors="white", s=80, zorder=2)
right.set_xlabel("first input")
right.set_ylabel("second input")
figure.colorbar(shown, ax=right, label="output")
lesson.picture(
    figure, "learned", "Left: the two runs are one. Right: the output over the plane, with the four samples, white meaning 1"
)
