import numpy as np
import pytest


@pytest.fixture(scope="module")
def ran(run_lesson):
    return run_lesson("01_perceptron")


TABLES = {"AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}


def test_gates(ran):
    assert ran["inputs"].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert {name: y.tolist() for name, y in ran["answers"].items()} == {name: TABLES[name] for name in ("AND", "NAND", "OR")}
    assert ran["xor"](ran["inputs"]).tolist() == TABLES["XOR"]
    assert " 1  1      1     0     1\n" in ran.printed
    assert "XOR(1, 0) = 1\nXOR(0, 1) = 1\nXOR(1, 1) = 0\n" in ran.printed


def test_step_and_sign(ran):
    assert ran["step"](np.array([-1.0, 0.0, 1e-300])).tolist() == [0, 0, 1]
    for name, y in {**ran["sign_answers"], "XOR": ran["sign_xor"]}.items():
        assert y.tolist() == [2 * answer - 1 for answer in TABLES[name]]
        assert f"{name:4s} of (-1,-1), (1,-1), (-1,1), (1,1): {y.astype(int)}" in ran.printed


@pytest.mark.parametrize("name", TABLES)
def test_learned_weights(ran, name):
    w, b, mistakes = ran["learned"][name]
    right = ran["neuron"](ran["inputs"], w, b).tolist() == TABLES[name]
    assert right == (name != "XOR")
    assert (mistakes[-1] == 0) == (name != "XOR")


def test_layers_give_the_same(ran):
    assert ran["s"].T.tolist() == [TABLES["NAND"], TABLES["OR"]]
    assert ran["y"][:, 0].tolist() == TABLES["XOR"]
    assert "XOR: [0 1 1 0]" in ran.printed


def test_pictures(ran):
    ran.assert_pictures("gates", "xor")
