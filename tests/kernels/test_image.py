"""Batches of images: worked answers, the twin over every remainder, all byte values, threads."""

import numpy as np
import pytest

# rows, B, D
SHAPES = [(5, 3, 7), (1, 1, 1), (4, 9, 16), (30, 20, 784), (6, 0, 5), *((3, 4, d) for d in range(17, 33))]


IMAGES = [(3, 1, 1, 1), (2, 3, 2, 3), (4, 1, 7, 5), (5, 3, 17, 33), (3, 2, 1, 40), (3, 2, 40, 1), (2, 3, 32, 32), (2, 0, 3, 3)]


def make(shape, rng):
    rows, B, D = shape
    return rng.integers(0, 256, (rows, D), np.uint8), rng.integers(0, rows, B)


def test_worked_answers(impl, dtype, run):
    x = np.array([[0, 1, 2], [100, 128, 255]], np.uint8)
    out = run(impl.image.scale_uint8, np.empty(6, dtype), x.reshape(-1), 0.5, -1.0)
    assert out.tolist() == [-1, -0.5, 0, 49, 63, 126.5]
    index = np.array([1, 0, 1, 1])
    out = run(impl.image.gather_rows_uint8, np.empty((4, 3), dtype), x, index, 2.0, 1.0)
    assert out.tolist() == [[201, 257, 511], [1, 3, 5], [201, 257, 511], [201, 257, 511]]
    out = run(impl.image.gather_rows, np.empty((4, 3), dtype), x.astype(dtype), index)
    assert out.tolist() == x[index].tolist()


def test_all_byte_values(impl, dtype, run, assert_close):
    x = np.arange(256, dtype=np.uint8)
    out = run(impl.image.scale_uint8, np.empty(256, dtype), x, 1 / 255, 0.0)
    assert_close(out, np.arange(256) / 255)
    assert out[0] == 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_twins(shape, dtype, rng, compare_twins):
    x, index = make(shape, rng)
    out, scaling = np.empty((shape[1], shape[2]), dtype), (1 / 255, -0.5)
    compare_twins("image", "scale_uint8", np.empty(x.size, dtype), x.reshape(-1), *scaling)
    compare_twins("image", "gather_rows_uint8", out, x, index, *scaling)
    compare_twins("image", "gather_rows", out, x.astype(dtype), index)


def test_rows_are_copied_bit_for_bit(impl, dtype, rng, run):
    x = rng.standard_normal((4, 5)).astype(dtype)
    x[2, 3], x[1, 1], x[0, 0] = np.nan, np.inf, -0.0
    index = np.array([2, 2, 0, 1, 3])
    assert run(impl.image.gather_rows, np.empty((5, 5), dtype), x, index).tobytes() == x[index].tobytes()


def draw(rng, samples, most):
    return np.column_stack([rng.integers(-most, most + 1, (samples, 2)), rng.integers(0, 2, samples)])


def test_a_shift_and_a_mirror_image(impl, dtype, run):
    x = np.arange(1, 7).reshape(1, 1, 2, 3)
    x = np.concatenate([x, 10 * x]).astype(dtype)
    draws = np.array([[0, 0, 1], [1, -1, 0]])
    out = run(impl.image.gather_augmented, np.empty((3, 1, 2, 3), dtype), x, np.array([1, 0, 1]), draws)
    assert out[:, 0].tolist() == [[[0, 0, 0], [20, 30, 0]], [[3, 2, 1], [6, 5, 4]], [[0, 0, 0], [20, 30, 0]]]
    out = run(impl.image.gather_augmented, np.empty((1, 1, 2, 3), dtype), x, np.array([0]), np.array([[0, 1, 1]]))
    assert out[0, 0].tolist() == [[2, 1, 0], [5, 4, 0]]  # shifted first, then mirrored


@pytest.mark.parametrize("most", [0, 1, 4, 50])
@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_augmented_images_are_padded_cropped_and_mirrored(impl, kind, shape, most, rng, run):
    x = rng.integers(1, 256, (6, *shape[1:])).astype(kind)
    index, draws = rng.integers(0, 6, shape[0]), draw(rng, 6, most)
    padded = np.pad(x, ((0, 0), (0, 0), (most, most), (most, most)))
    expected = np.empty((len(index), *x.shape[1:]), kind)
    for b, image in enumerate(index):
        down, right, flip = draws[image]
        top, left = most - down, most - right
        crop = padded[image, :, top : top + shape[2], left : left + shape[3]]
        expected[b] = crop[:, :, ::-1] if flip else crop
    actual = np.full_like(expected, 77)
    impl.image.gather_augmented(actual, x, index, draws)
    assert actual.tobytes() == expected.tobytes()


def test_augmented_images_keep_their_bits(impl, dtype, rng, run):
    x = rng.standard_normal((1, 1, 4, 5)).astype(dtype)
    x[0, 0, 0, 0], x[0, 0, 1, 1], x[0, 0, 2, 2] = np.nan, np.inf, -0.0
    draws = np.array([[0, 0, 1]])
    out = run(impl.image.gather_augmented, np.empty_like(x), x, np.array([0]), draws)
    assert out.tobytes() == np.ascontiguousarray(x[..., ::-1]).tobytes()


def test_threads(numba, rng, run, assert_same_bits):
    x, index = make((50, 400, 784), rng)
    out = np.empty((400, 784), np.float32)
    assert_same_bits(lambda: run(numba.image.gather_rows_uint8, out, x, index, 1 / 255, 0.0))
    assert_same_bits(lambda: run(numba.image.gather_rows, out, x.astype(np.float32), index))
    images, draws = x.astype(np.float32).reshape(50, 1, 28, 28), draw(rng, 50, 4)
    assert_same_bits(lambda: run(numba.image.gather_augmented, out.reshape(-1, 1, 28, 28), images, index, draws))
    flat = rng.integers(0, 256, 300_001, np.uint8)
    assert_same_bits(lambda: run(numba.image.scale_uint8, np.empty(flat.size, np.float32), flat, 1 / 255, 0.0))
