# %% [markdown]
# # 3. A forward pass through three layers
#
# A *dense layer* turns a vector $x$ into a vector $y$: every output is a neuron of [lesson 1](#1-the-perceptron), without
# the step, and all of them look at the same inputs. With $w_{ij}$ the weight from input $i$ to output $j$,
#
# $$ y_j = \sum_i x_i w_{ij} + b_j . $$
#
# The sum over $i$ is a product of the vector $x$ with the matrix $W$, so a layer is one line of code, `x @ W + b`.
#
# Two such layers in a row are no more than one:
#
# $$ (x W + b) V + c = x (W V) + (b V + c) , $$
#
# which is a dense layer with the matrix $WV$ and the bias $bV + c$. So between layers stands an activation $h$ that is not
# linear ([lesson 2](#2-activation-functions)). Behind the last layer stands what the task asks for: the identity for a
# regression, softmax for a classification.

# %%
import numpy as np
from lesson import Lesson

import fastnn as fnn

lesson = Lesson(__file__)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


W = [
    np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]),
    np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]),
    np.array([[0.1, 0.3], [0.2, 0.4]]),
]
b = [np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2]), np.array([0.1, 0.2])]

# %% [markdown]
# Two inputs, three neurons, two neurons, two outputs. The shapes tell how layers fit together: (2) times (2, 3) gives (3),
# times (3, 2) gives (2), times (2, 2) gives (2). Each line below is one layer. The last has no activation, that is, the
# identity.

# %%
x = np.array([1.0, 0.5])
z1 = sigmoid(x @ W[0] + b[0])
z2 = sigmoid(z1 @ W[1] + b[1])
y = z2 @ W[2] + b[2]

print("first hidden layer ", z1)
print("second hidden layer", z2)
print("output             ", y)

# %% [markdown]
# To compute this, from the inputs to the outputs, is called the *forward pass*. The weights here are just given. Training
# will mean to find them: 6 + 3 in the first layer, 6 + 2 in the second, 4 + 2 in the third, 23 numbers in all.
#
# ## In fastnn
#
# A network is a list of layers, and activations are layers too. `Dense` keeps its weights as $w_{ji}$, outputs first, as
# PyTorch does; hence the transposes. Layers take *batches*: the first axis counts samples, here a single one. Each row of a
# batch goes through the network by itself, and the product of matrices does all rows at once. Layers compute in float32
# unless told otherwise. For the same digits as above we ask for float64.

# %%
network = fnn.Sequential(
    fnn.Dense(2, 3, dtype=np.float64),
    fnn.Sigmoid(),
    fnn.Dense(3, 2, dtype=np.float64),
    fnn.Sigmoid(),
    fnn.Dense(2, 2, dtype=np.float64),
)
for layer, weight, bias in zip(network[::2], W, b):
    layer.params["weight"][...] = weight.T
    layer.params["bias"][...] = bias

y_network = network.predict(x[None])[0]
print("output             ", y_network)
