"""NaN and infinities in samples and parameters travel through fused operations as through the layers."""

import numpy as np
import pytest

import fastnn as fnn

SAMPLES, BAD = 19, (4, 18)  # the last sample is the one that lanes beyond the batch repeat


def conv(*sizes, d, **options):
    return fnn.Conv2d(*sizes, dtype=d, **options)


def classifier(d, features):
    return [fnn.Flatten(), fnn.Dense(features, 3, dtype=d, rng=9)]


NETWORKS = {
    "ReLU": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.ReLU(), *classifier(d, 6)]),
    "LayerNorm": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.LayerNorm(6, dtype=d), *classifier(d, 6)]),
    "GroupNorm": (
        (2, 8, 8),
        lambda d: [conv(2, 6, 3, d=d, rng=0), fnn.GroupNorm(3, 6, dtype=d), fnn.MaxPool2d(2), *classifier(d, 54)],
    ),
    "LocalResponseNorm": (
        (2, 8, 8),
        lambda d: [conv(2, 5, 3, d=d, rng=0), fnn.LocalResponseNorm(3, 0.8), fnn.MaxPool2d(2), *classifier(d, 45)],
    ),
    "LeakyReLU": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.LeakyReLU(), *classifier(d, 6)]),
    "Sigmoid": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.Sigmoid(), *classifier(d, 6)]),
    "Tanh": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.Tanh(), *classifier(d, 6)]),
    "ReLU6": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.ReLU6(), *classifier(d, 6)]),
    "ELU, GELU": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.ELU(), fnn.GELU(), *classifier(d, 6)]),
    "SiLU, Softplus": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.SiLU(), fnn.Softplus(), *classifier(d, 6)]),
    "Softmax": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.Softmax(1), *classifier(d, 6)]),
    "LogSoftmax": ((5,), lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.LogSoftmax(1), *classifier(d, 6)]),
    "BatchNorm, ReLU": (
        (5,),
        lambda d: [fnn.Dense(5, 6, dtype=d, rng=0), fnn.BatchNorm1d(6, dtype=d), fnn.ReLU(), *classifier(d, 6)],
    ),
    "ReLU, MaxPool": ((2, 8, 8), lambda d: [conv(2, 3, 3, d=d, rng=0), fnn.ReLU(), fnn.MaxPool2d(2), *classifier(d, 27)]),
    "MaxPool, ReLU": ((2, 8, 8), lambda d: [conv(2, 3, 3, d=d, rng=0), fnn.MaxPool2d(2), fnn.ReLU(), *classifier(d, 27)]),
    "padded MaxPool": ((2, 8, 8), lambda d: [conv(2, 3, 3, d=d, rng=0), fnn.MaxPool2d(3, 1, 1), *classifier(d, 108)]),
    "AvgPool": ((2, 8, 8), lambda d: [conv(2, 3, 3, d=d, rng=0), fnn.ReLU(), fnn.AvgPool2d(2), *classifier(d, 27)]),
    "two convolutions": (
        (2, 8, 8),
        lambda d: [conv(2, 3, 3, d=d, rng=0), fnn.ReLU(), conv(3, 4, 3, d=d, rng=2), fnn.ReLU(), *classifier(d, 64)],
    ),
    "BatchNorm, Residual, ReLU": (
        (3, 6, 6),
        lambda d: [
            conv(3, 3, 3, d=d, rng=3),
            fnn.Residual(fnn.Sequential(conv(3, 3, 1, d=d, rng=0), fnn.BatchNorm2d(3, dtype=d))),
            fnn.ReLU(),
            fnn.AdaptiveAvgPool2d(1),
            *classifier(d, 3),
        ],
    ),
    "BatchNorm, ReLU, MaxPool": (
        (3, 6, 6),
        lambda d: [conv(3, 3, 3, d=d, rng=3), fnn.BatchNorm2d(3, dtype=d), fnn.ReLU(), fnn.MaxPool2d(2), *classifier(d, 12)],
    ),
}
PLACES = ["a sample", "the last sample", "first weight", "first bias", "last weight", "last bias"]


def spoil(where, value, x, network):
    """Put `value` into samples or parameters."""
    if "sample" in where:
        x.reshape(len(x), -1)[BAD[where == "the last sample"], 3] = value
        return
    first, last = (list(network.params.values())[k : k + 2] for k in (0, len(network.params) - 2))
    array = (first if "first" in where else last)["bias" in where]
    array.reshape(-1)[1] = value


def results(trainer, x, y):
    """Predictions, loss, gradients and statistics."""
    with np.errstate(all="ignore"):
        prediction = trainer.predict(x)
        loss = trainer.step(x, y)
    return {
        "predictions": prediction,
        "loss": np.array(loss),
        "gradients": trainer.network.flat_grads.copy(),
        **{name: array.copy() for name, array in trainer.network.state.items()},
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", NETWORKS)
def test_fusions(name, value, dtype, rng, pair):
    shape, make = NETWORKS[name]
    x, y = rng.standard_normal((SAMPLES, *shape)).astype(dtype), rng.integers(0, 3, SAMPLES)
    for where in PLACES:
        network, spoilt = fnn.Sequential(*make(dtype)), x.copy()
        spoil(where, value, spoilt, network)
        both = pair(network, optimizer=fnn.SGD(lr=0.0))
        got, expected = both.each(results, spoilt, y)
        assert both.planned._plan is not None
        for what, array in expected.items():
            finite = np.isfinite(array)
            assert (np.isfinite(got[what]) == finite).all(), f"{what} with {value} in {where}"
            scale = max(1, np.abs(array[finite]).max(initial=0))
            atol = (1e-10 if dtype == np.float64 else 1e-3) * scale
            np.testing.assert_allclose(got[what][finite], array[finite], rtol=0, atol=atol, err_msg=f"{what}, {where}")
        if "sample" in where:
            others = np.delete(got["predictions"], BAD[where == "the last sample"], axis=0)
            assert np.isfinite(others).all()


@pytest.mark.parametrize("loss", ["NLL", "MSE", "L1", "Huber", "BCE", "smoothed", "ignored"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_losses(value, loss, rng, pair):
    x = rng.standard_normal((SAMPLES, 4))
    y = rng.integers(0, 3, SAMPLES)
    made, target = {
        "NLL": (fnn.NLLLoss(), y),
        "MSE": (fnn.MSELoss(), rng.random((SAMPLES, 3))),
        "L1": (fnn.L1Loss(), rng.random((SAMPLES, 3))),
        "Huber": (fnn.HuberLoss(), rng.random((SAMPLES, 3))),
        "BCE": (fnn.BCEWithLogitsLoss(), rng.random((SAMPLES, 3))),
        "smoothed": (fnn.CrossEntropyLoss(label_smoothing=0.1, weight=[1, 0, 2]), y),
        "ignored": (fnn.CrossEntropyLoss(ignore_index=int(y[4])), y),
    }[loss]
    for sample in BAD:
        spoilt = x.copy()
        spoilt[sample, 2] = value
        both = pair(fnn.Sequential(fnn.Dense(4, 3, dtype=np.float64, rng=0)), made, fnn.SGD(lr=0.0))
        got, expected = both.each(results, spoilt, target)
        for what, array in expected.items():
            result = got[what]
            if what == "gradients" and sample == BAD[1]:  # 0 times infinity, in lanes beyond the batch
                assert (np.isfinite(result) == np.isfinite(array)).all()
                array = np.where(np.isfinite(result), array, result)
            np.testing.assert_allclose(result, array, rtol=0, atol=1e-10, err_msg=what)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_padding(value, rng, pair):
    """The layers multiply what is not finite with the zeros around an image, plans leave these out: fewer NaN, none more."""
    layers = [conv(2, 3, 3, padding=1, d=np.float64, rng=0), fnn.ReLU(), conv(3, 2, 3, padding=1, d=np.float64, rng=1)]
    x, y = rng.standard_normal((SAMPLES, 2, 5, 5)), rng.integers(0, 3, SAMPLES)
    for where in PLACES:
        both, spoilt = pair(fnn.Sequential(*layers, *classifier(np.float64, 50)), optimizer=fnn.SGD(lr=0.0)), x.copy()
        for trainer in (both.planned, both.plain):
            spoil(where, value, spoilt, trainer.network)
        got, expected = both.each(results, spoilt, y)
        for what, array in expected.items():
            assert not (np.isfinite(array) & ~np.isfinite(got[what])).any(), f"{what} with {value} in {where}"
        assert np.isfinite(got["loss"]) == np.isfinite(expected["loss"])
        assert np.isfinite(got["gradients"]).all() == np.isfinite(expected["gradients"]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_winograd(value, dtype, rng, pair):
    """What is not finite spoils the tile of its sample, 4 by 4 positions, and nothing else."""
    network = fnn.Sequential(*(conv(32, 32, 3, padding=1, d=dtype, rng=seed) for seed in (0, 1)))
    x = rng.standard_normal((SAMPLES, 32, 12, 12)).astype(dtype)
    target = np.zeros((SAMPLES, 32, 12, 12), dtype)
    clean = network.predict(x)
    for sample in BAD:
        spoilt = x.copy()
        spoilt[sample, 3, 5, 6] = value
        found = {}
        for winograd in (True, False):
            with fnn.config(winograd=winograd):
                both = pair(network, fnn.MSELoss(), fnn.SGD(lr=0.0))
                got, expected = both.each(results, spoilt, target)
            found[winograd] = got
            assert not np.isfinite(got["loss"])
            assert (np.isfinite(got["predictions"]) <= np.isfinite(expected["predictions"])).all()
            assert np.isfinite(got["gradients"]).all() == np.isfinite(expected["gradients"]).all()
        bad = ~np.isfinite(found[True]["predictions"])
        assert set(np.nonzero(bad)[0]) == {sample} and not bad[sample, :, :, :3].any()
        others = np.delete(np.arange(SAMPLES), sample)
        scale = np.abs(clean).max()
        np.testing.assert_allclose(found[True]["predictions"][others], clean[others], rtol=0, atol=1e-5 * scale)


def test_a_diverged_run_recovers_with_fresh_parameters(rng, pair):
    """No NaN stays behind in the memory of a plan."""
    layers = NETWORKS["BatchNorm, Residual, ReLU"][1](np.float64)
    x, y = rng.standard_normal((SAMPLES, 3, 6, 6)), rng.integers(0, 3, SAMPLES)
    both = pair(fnn.Sequential(*layers), optimizer=fnn.SGD(lr=0.01))
    kept = both.plain.network.state_dict()
    both.step(x, y)
    for samples in (SAMPLES, 40):
        more = np.concatenate([x, x, x])[:samples]
        labels = np.concatenate([y, y, y])[:samples]
        with np.errstate(all="ignore"):
            both.each("step", more * np.nan, labels)
            both.each("predict", more * np.nan)
        both.each(lambda trainer: trainer.network.load_state_dict(kept))
        for count in (5, SAMPLES):
            both.step(x[:count], y[:count])
            both.check()
            got, expected = both.each("predict", x[:count])
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)
