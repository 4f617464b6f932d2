"""Model files: there and back, PyTorch's side, damage, and what never happens (half a file, foreign code)."""

import json
import os
import pickle
import stat

import numpy as np
import pytest

import fastnn as fnn


def network(dtype=np.float32, rng=0):
    return fnn.Sequential(
        fnn.Conv2d(1, 4, 3, stride=(2, 1), padding=(1, 0), groups=1, dtype=dtype, rng=rng),
        fnn.BatchNorm2d(4, eps=1e-3, momentum=0.2, dtype=dtype),
        fnn.LeakyReLU(0.2),
        fnn.Residual(
            fnn.Sequential(fnn.Conv2d(4, 8, 3, padding="same", bias=False, dtype=dtype, rng=1), fnn.Sigmoid()),
            fnn.Conv2d(4, 8, 1, dtype=dtype, rng=2),
        ),
        fnn.MaxPool2d(2, ceil_mode=True),
        fnn.AdaptiveAvgPool2d((2, None)),
        fnn.Flatten(),
        fnn.Dropout(0.25),
        fnn.Dense(48, 5, dtype=dtype, rng=3),
        fnn.LogSoftmax(dim=1),
    )


def trained(rng, dtype=np.float32):
    """A network whose running statistics are not the initial ones."""
    net = network(dtype)
    x = rng.standard_normal((9, 1, 8, 8)).astype(dtype)
    fnn.Trainer(net, fnn.NLLLoss(), fnn.SGD(lr=0.1), seed=0).fit(x, np.arange(9) % 5, epochs=2, progress=False)
    return net, x


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_there_and_back(rng, dtype, path):
    net, x = trained(rng, dtype)
    assert net.save(path) is None
    again = fnn.load(path)
    assert type(again) is fnn.Sequential and repr(again) == repr(net) and again.dtype == dtype
    assert again.get_config() == net.get_config()
    for name, array in net.state_dict().items():
        other = again.state_dict()[name]
        assert other.dtype == array.dtype and other.shape == array.shape and other.tobytes() == array.tobytes()
    assert again.predict(x).tobytes() == net.predict(x).tobytes()
    # A loaded network trains on, and writes the same file.
    second = path.with_name("second")
    fnn.save(again, str(second))
    assert second.read_bytes() == path.read_bytes()
    fnn.Trainer(again, fnn.NLLLoss(), fnn.Adam()).step(x, np.arange(9) % 5)


def test_loaded_parameters_are_the_users_own(rng, path):
    net, x = trained(rng)
    net.save(path)
    one, two = fnn.load(path), fnn.load(path)
    one.flat_params[:] = 0
    assert two.predict(x).tobytes() == net.predict(x).tobytes()


def torch_network():
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 5), nn.LogSoftmax(1)
    )


def same_network():
    return fnn.Sequential(
        fnn.Conv2d(1, 4, 3, stride=2),
        fnn.BatchNorm2d(4),
        fnn.ReLU(),
        fnn.Flatten(),
        fnn.Linear(36, 5),
        fnn.LogSoftmax(1),
    )


def test_pytorch_reads_our_file(rng, path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    net, theirs = same_network(), torch_network()
    x = rng.standard_normal((6, 1, 8, 8), dtype=np.float32)
    fnn.Trainer(net, fnn.NLLLoss(), fnn.SGD(lr=0.1)).step(x, np.arange(6) % 5)
    net.save(path)
    theirs.load_state_dict(load_file(path))
    with torch.no_grad():
        np.testing.assert_allclose(theirs.eval()(torch.tensor(x)).numpy(), net.predict(x), rtol=1e-4, atol=1e-5)
    assert theirs[1].num_batches_tracked.item() == 1


def test_we_read_pytorchs_file(rng, path):
    torch = pytest.importorskip("torch")
    from safetensors.numpy import load_file
    from safetensors.torch import save_file

    net, theirs = same_network(), torch_network()
    x = rng.standard_normal((6, 1, 8, 8), dtype=np.float32)
    theirs(torch.tensor(x))
    save_file(theirs.state_dict(), path)
    net.load_state_dict(load_file(path))
    with torch.no_grad():
        np.testing.assert_allclose(net.predict(x), theirs.eval()(torch.tensor(x)).numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"model.safetensors.*holds no fastnn architecture.*load_state_dict"):
        fnn.load(path)


# --- atomic


def test_a_failed_write_leaves_the_old_file_alone(rng, path, monkeypatch):
    net, _ = trained(rng)
    net.save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("disk on fire")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="disk on fire"):
                network(rng=5).save(path)
        assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_files_have_the_usual_permissions(rng, path):
    before = os.umask(0o027)
    try:
        trained(rng)[0].save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_no_such_folder(path):
    with pytest.raises(FileNotFoundError):
        network().save(path / "deeper" / "model")
    with pytest.raises(FileNotFoundError):
        fnn.load(path)
    with pytest.raises(OSError):
        fnn.load(path.parent)


# --- damage


def write(path, arrays, metadata):
    from safetensors.numpy import save

    path.write_bytes(save(arrays, metadata=metadata))


def altered(path, change):
    """Rewrite a model file with other metadata: `change` gets the dict and returns the new one, or text."""
    from safetensors import safe_open

    network().save(path)
    with safe_open(path, framework="np") as file:
        content = json.loads(file.metadata()["fastnn"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    content = change(content)
    write(path, arrays, {"fastnn": content if isinstance(content, str) else json.dumps(content)})


def with_architecture(architecture):
    return lambda content: {**content, "architecture": architecture}


DAMAGE = {
    "not JSON": (lambda c: "{", "expected JSON"),
    "not a dict": (lambda c: "[1]", "expected a dict"),
    "no architecture": (lambda c: {"format": 1}, "expected a dict with 'format' and 'architecture'"),
    "newer format": (lambda c: {**c, "format": 2}, "expected format 1, got 2"),
    "no format": (lambda c: {"architecture": c["architecture"]}, "expected format 1, got None"),
    "unknown layer": (with_architecture({"class": "Sequential", "layers": [{"class": "Quantum"}]}), "Quantum"),
    "imports": (with_architecture({"class": "os.system", "command": "touch hacked"}), "os.system"),
    "not a layer": (with_architecture({"class": "Trainer"}), "Trainer"),
    "not a network": (with_architecture({"class": "ReLU"}), "expected a network"),
    "no class": (with_architecture({"layers": []}), "class"),
    "number": (with_architecture(3), "class"),
    "other arrays": (with_architecture({"class": "Sequential", "layers": [{"class": "ReLU"}]}), "0.weight"),
    "unknown argument": (
        with_architecture({"class": "Sequential", "layers": [{"class": "ReLU", "speed": 3}]}),
        "ReLU",
    ),
    "missing argument": (with_architecture({"class": "Sequential", "layers": [{"class": "Dense"}]}), "Dense"),
    "wrong argument": (
        with_architecture({"class": "Sequential", "layers": [{"class": "Dense", "in_features": -1, "out_features": 1}]}),
        "in_features",
    ),
    "layers missing": (with_architecture({"class": "Sequential"}), "Sequential|layers"),
    "layers are numbers": (with_architecture({"class": "Sequential", "layers": [1, 2]}), "layers"),
    "deep nesting": (lambda c: '{"format": 1, "architecture": ' + "[" * 100_000 + "]" * 100_000 + "}", "model"),
    "huge layer": (
        with_architecture({"class": "Sequential", "layers": [{"class": "Dense", "in_features": 2**40, "out_features": 2**40}]}),
        "model",
    ),
}


@pytest.mark.parametrize("change,match", DAMAGE.values(), ids=DAMAGE)
def test_wrong_metadata_raises_value_errors_that_name_the_file(change, match, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    altered(path, change)
    with pytest.raises(ValueError, match=match) as caught:
        fnn.load(path)
    assert str(path) in str(caught.value)
    assert os.listdir() == [path.name]


def test_arrays_that_do_not_fit(path):
    from safetensors import safe_open

    network().save(path)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, array in (
        ("8.bias", np.zeros(6, np.float32)),
        ("8.bias", np.zeros(5)),
        ("9.new", np.zeros(1, np.float32)),
    ):
        write(path, {**arrays, name: array}, metadata)
        with pytest.raises(ValueError, match=rf"model.safetensors: .*{name}"):
            fnn.load(path)
    del arrays["8.bias"]
    write(path, arrays, metadata)
    with pytest.raises(ValueError, match=r"8\.bias"):
        fnn.load(path)


def test_damaged_files_raise_value_errors(path):
    network().save(path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    damaged = [b"", data[:4], data[:100], data[:-1], data + b"\0", b"\xff" * 8 + data[8:], data[:8] + b"x" * length]
    damaged += [pickle.dumps({"0.weight": 1})]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model.safetensors: not a safetensors file"):
            fnn.load(path)


# --- layers of users


class Scale(fnn.layers.Layer):
    def __init__(self, factor, *, rng=None):
        super().__init__()
        self.factor = factor
        self.add_param("scale", np.full(1, factor, np.float32))

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x, *, training=False):
        return x * self.params["scale"]


class Forgetful(fnn.layers.Layer):
    def __init__(self, factor):
        super().__init__()


def test_a_users_layer_is_saved_and_loaded(path):
    net = fnn.Sequential(Scale(3.0))
    net[0].params["scale"] = np.array([7], np.float32)
    net.save(path)
    again = fnn.load(path)
    assert type(again[0]) is Scale and again[0].factor == 3.0 and again[0].params["scale"] == 7


def test_a_layer_that_cannot_be_described_is_refused_on_save(path):
    with pytest.raises(TypeError, match=r"Forgetful.*'factor'"):
        fnn.Sequential(Forgetful(3)).save(path)
    with pytest.raises(TypeError, match="cannot be written to JSON"):
        fnn.Sequential(Scale(np.ones(1))).save(path)
    with pytest.raises(TypeError, match="save: expected a fastnn network"):
        fnn.save(fnn.ReLU(), path)
    assert os.listdir(path.parent) == []
