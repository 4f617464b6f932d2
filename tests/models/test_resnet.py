"""ResNet: parameters, torchvision's layers, the same layer by layer and as plans."""

import numpy as np
import pytest

import fastnn as fnn
from fastnn.models import resnet18, resnet20, resnet34, resnet56


@pytest.mark.parametrize(
    "function, shape, expected",
    [
        (resnet18, (3, 224, 224), 11_689_512),
        (resnet34, (3, 224, 224), 21_797_672),
        # 269,722 and 853,018 with shortcuts without parameters, and the two 1x1 convolutions with their normalization.
        (resnet20, (3, 32, 32), 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)),
        (resnet56, (3, 32, 32), 853_018 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)),
    ],
)
def test_parameters(function, shape, expected):
    network = function(rng=0)
    assert network.flat_params.size == expected
    assert network.output_shape(shape) == ((1000,) if shape[1] == 224 else (10,))


def test_planes():
    network, shape, found = resnet18(rng=0), (3, 224, 224), []
    for layer in network:
        shape = layer.output_shape(shape)
        if isinstance(layer, fnn.Residual):
            found.append(shape)
    assert found == [(64, 56, 56)] * 2 + [(128, 28, 28)] * 2 + [(256, 14, 14)] * 2 + [(512, 7, 7)] * 2
    assert [layer.shortcut is None for layer in network if isinstance(layer, fnn.Residual)] == [
        True,
        True,
        *[False, True] * 3,
    ]


def torch_resnet(torch, stem, width, counts, classes):
    """As in the paper, in torchvision's order of modules."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.downsample = None
            if stride != 1 or before != after:
                self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x):
            out = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(out + (x if self.downsample is None else self.downsample(x)))

    layers, before = list(stem), width
    for stage, count in enumerate(counts):
        for block in range(count):
            layers.append(Block(before, width << stage, 2 if stage and not block else 1))
            before = width << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


@pytest.mark.parametrize("name", ["resnet18", "resnet20"])
def test_same_as_torch(name, torch_twin, rng):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    if name == "resnet18":
        network, size = resnet18(5, (64, 40), rng=0), (64, 40)
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        module = torch_resnet(torch, stem, 64, (2, 2, 2, 2), 5)
    else:
        network, size = resnet20(5, 32, rng=0), (32, 32)
        stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        module = torch_resnet(torch, stem, 16, (3, 3, 3), 5)
    for _, layer in network.leaves():  # as after training
        if isinstance(layer, fnn.BatchNorm2d):
            layer.state["running_mean"] += rng.normal(size=layer.num_features).astype(np.float32) / 10
            layer.state["running_var"] *= rng.uniform(0.5, 2, layer.num_features).astype(np.float32)
    torch_twin(network, module)
    x = rng.normal(size=(2, 3, *size)).astype(np.float32)
    module.eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.forward(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("function, shape", [(resnet20, (3, 12, 9)), (resnet18, (2, 33, 36))])
def test_paths_and_saving(function, shape, check_paths, check_saved, tmp_path):
    network = function(4, shape[1:], shape[0], dtype=np.float64, rng=0)
    check_paths(network, shape)
    check_saved(network, shape, tmp_path)


def test_learns_digits():
    digits = fnn.data.mnist_subset()
    network = resnet20(10, 28, 1, rng=0)
    x, y = digits.train_images[:1000], digits.train_labels[:1000]
    history = network.fit(x, y, epochs=3, batch_size=50, optimizer=fnn.Adam(lr=2e-3), seed=0, progress=False)
    assert history["accuracy"][-1] > 0.9
