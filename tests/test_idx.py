"""read_idx and write_idx: every type and shape there and back, and files that lie."""

import gzip
import os
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastnn.data import read_idx, write_idx

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
SHAPES = [(), (0,), (5,), (2, 3), (3, 0, 2), (2, 3, 4, 5), (1,) * 32]


def header(code, *shape):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)


def peak_bytes(call):
    """The most memory that `call` had allocated at once; NumPy reports its arrays to tracemalloc."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_refused(path):
    with pytest.raises(ValueError):
        read_idx(path)


@pytest.fixture(params=["plain", "gzip"])
def store(request, tmp_path):
    """Write bytes to a file, as they are or compressed; the name says nothing about which."""

    def write(data):
        path = tmp_path / "file.idx"
        path.write_bytes(data if request.param == "plain" else gzip.compress(data))
        return path

    return write


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", CODES)
def test_round_trip(tmp_path, rng, dtype, shape, suffix):
    path = tmp_path / f"array{suffix}"
    array = np.asarray(rng.integers(-(1 << 20), 1 << 20, shape)).astype(dtype)
    write_idx(path, array)
    data = path.read_bytes()
    assert (data[:2] == b"\x1f\x8b") == (suffix == ".gz")
    plain = gzip.decompress(data) if suffix else data
    assert plain[: 4 + 4 * len(shape)] == header(CODES[dtype], *shape)

    got = read_idx(path)
    assert got.dtype == np.dtype(dtype) and got.dtype.isnative and got.flags.writeable and got.flags.c_contiguous
    assert got.shape == shape
    np.testing.assert_array_equal(got, array)


def test_worked_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes.fromhex("00000b02 00000002 00000002 0001 fffe 7fff 8000"))
    np.testing.assert_array_equal(read_idx(path), np.array([[1, -2], [32767, -32768]], np.int16))
    write_idx(tmp_path / "b", read_idx(path))
    assert (tmp_path / "b").read_bytes() == path.read_bytes()


@given(array=hnp.arrays(st.sampled_from(list(CODES)), hnp.array_shapes(min_dims=0, max_dims=5, min_side=0)))
def test_round_trip_keeps_every_bit(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "any.idx"
    write_idx(path, array)
    assert read_idx(path).tobytes() == array.tobytes()


def test_nan_payload_survives(tmp_path):
    signalling = np.array([0x7F800001, 0xFFC12345], np.uint32).view(np.float32)
    write_idx(tmp_path / "a", signalling)
    assert read_idx(tmp_path / "a").tobytes() == signalling.tobytes()


def test_any_layout_and_byte_order_is_written(tmp_path):
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for name, view in {"strided": array[:, ::2, ::-1], "fortran": array.T, "foreign": array.astype(">i4")}.items():
        write_idx(tmp_path / name, view)
        np.testing.assert_array_equal(read_idx(tmp_path / name), view)


def test_equal_arrays_give_equal_files(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(100, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_large_gzip_is_read_whole(tmp_path):
    array = np.arange(3_000_000, dtype=np.int32)  # several chunks
    write_idx(tmp_path / "a.gz", array)
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz"), array)


def test_concatenated_gzip_members_are_one_stream(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(header(0x08, 4) + b"ab") + gzip.compress(b"cd"))
    assert read_idx(path).tobytes() == b"abcd"


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "truncated"),
        (b"\0\0\x08", "truncated"),
        (b"\x01\0\x08\x01" + bytes(5), "not an IDX file"),
        (b"\0\x01\x08\x01" + bytes(5), "not an IDX file"),
        (b"\0\0\x0a\x01\0\0\0\1a", "not an IDX file"),
        (b"\0\0\x00\x01\0\0\0\1a", "not an IDX file"),
        (b"\x93NUMPY\x01\0", "not an IDX file"),
        (b"\0\0\x08\x02\0\0\0\1\0\0", "truncated"),
        (header(0x08, 3) + b"ab", "truncated"),
        (header(0x08, 3), "truncated"),
        (header(0x08, 3) + b"abcd", "oversized"),
        (header(0x08, 0) + b"a", "oversized"),
        (header(0x08), "truncated"),
        (header(0x0B, 3) + b"abc", "truncated"),
        (header(0x0E, 2, 2) + bytes(31), "truncated"),
        (header(0x0E, 2, 2) + bytes(33), "oversized"),
        (header(0x08, *[1 << 31] * 3) + bytes(8), "truncated"),
        (header(0x08, *[(1 << 32) - 1] * 255), "truncated"),
        (header(0x0E, 1 << 29, 1 << 31), "truncated"),  # 2**63 bytes: wraps around in 64 bits
        (header(0x0E, 1 << 30, 1 << 31), "truncated"),  # 2**64 bytes: 0 in 64 bits
        (header(0x08, 0, *[(1 << 32) - 1] * 3), "cannot hold"),
        (header(0x08, *[1] * 255) + b"a", "cannot hold"),
    ],
)
def test_lying_file_is_refused_by_name(store, data, message):
    path = store(data)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)
    assert peak_bytes(lambda: assert_refused(path)) < 3_000_000


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "a"
    for whole in (header(0x0B, 2, 3) + bytes(12), gzip.compress(header(0x0B, 2, 3) + bytes(range(12)))):
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            assert_refused(path)


def test_every_damaged_byte_of_a_gzip_file_is_noticed_or_harmless(tmp_path):
    path, array = tmp_path / "a", np.arange(200, dtype=np.uint8)
    write_idx(tmp_path / "whole.gz", array)
    whole = (tmp_path / "whole.gz").read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            got = read_idx(path)
        except ValueError:
            continue
        np.testing.assert_array_equal(got, array)  # time, system: fields of the header that mean nothing here


def test_claim_beyond_the_file_allocates_nothing(store):
    path = store(header(0x08, 1 << 16, 1 << 16) + bytes(1000))  # claims 4 GiB
    assert peak_bytes(lambda: assert_refused(path)) < 3_000_000


def test_gzip_bombs_are_not_inflated(tmp_path):
    path = tmp_path / "bomb"
    zeros = bytes(50_000_000)
    # Holds far more than it claims; claims far more than it holds, which is already far more than the file.
    for claimed in (100, 100_000_000):
        path.write_bytes(gzip.compress(header(0x08, claimed) + zeros))
        assert path.stat().st_size < 100_000
        assert peak_bytes(lambda: assert_refused(path)) < 5_000_000


def test_plain_file_takes_its_own_size_and_no_more(tmp_path):
    path = tmp_path / "a"
    write_idx(path, np.zeros(5_000_000, np.float64))
    assert peak_bytes(lambda: read_idx(path)) < 1.05 * path.stat().st_size


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none")


@pytest.mark.parametrize("array", [[1, 2], None, b"ab"], ids=repr)
def test_write_refuses_what_is_no_array(tmp_path, array):
    with pytest.raises(TypeError, match="expected an ndarray"):
        write_idx(tmp_path / "a", array)


@pytest.mark.parametrize("dtype", ["int64", "uint16", "bool", "float16", "complex64", "U3", "O", "M8[s]"])
def test_write_refuses_other_dtypes(tmp_path, dtype):
    with pytest.raises(TypeError, match="expected dtype uint8"):
        write_idx(tmp_path / "a", np.zeros(2, dtype))
    assert not list(tmp_path.iterdir())


def test_write_refuses_dimensions_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"below 2\*\*32"):
        write_idx(tmp_path / "a", np.zeros((1 << 32, 0), np.uint8))


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_idx(path, np.arange(3, dtype=np.uint8))
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_idx(path, np.arange(9, dtype=np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_write_follows_links_and_spares_devices(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_idx(link, np.arange(3, dtype=np.uint8))
    assert link.is_symlink() and len(read_idx(target)) == 3
    with pytest.raises(OSError, match="not a regular file"):
        write_idx(os.devnull, np.arange(3, dtype=np.uint8))
    with pytest.raises(IsADirectoryError):
        write_idx(tmp_path, np.arange(3, dtype=np.uint8))


def test_result_does_not_depend_on_the_file(tmp_path):
    path = tmp_path / "a"
    write_idx(path, np.arange(3, dtype=np.uint8))
    array = read_idx(path)
    path.write_bytes(b"changed")
    np.testing.assert_array_equal(array, [0, 1, 2])
