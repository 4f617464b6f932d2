"""read_csv: numbers and text, quotes, what is missing, and where a file is wrong."""

import gzip

import numpy as np
import pytest

from fastnn.data import read_csv


@pytest.fixture
def store(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return path

    return write


def test_numbers_and_text(store):
    table = read_csv(store("school, grade ,points,admitted\nA,1.5,-3e2,1\n\nB,,7,0\n"))
    assert list(table) == ["school", "grade", "points", "admitted"]
    assert table["school"].tolist() == ["A", "B"]
    np.testing.assert_array_equal(table["grade"], [1.5, np.nan])
    np.testing.assert_array_equal(table["points"], [-300.0, 7.0])
    assert table["points"].dtype == table["admitted"].dtype == np.float64


@pytest.mark.parametrize(
    "entries, expected",
    [
        (["1", " 2 "], [1.0, 2.0]),
        (["nan", "inf"], [np.nan, np.inf]),
        (["1", "x"], ["1", "x"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["", "x"], ["", "x"]),
        (["", ""], ["", ""]),
        (["0x10", "1"], ["0x10", "1"]),
    ],
)
def test_what_counts_as_numbers(store, entries, expected):
    column = read_csv(store("name,other\n" + "".join(f"{entry},1\n" for entry in entries)))["name"]
    np.testing.assert_array_equal(column, expected)
    assert column.dtype.kind == ("U" if isinstance(expected[0], str) else "f")


def test_columns_are_chosen_by_name(store):
    path = store("a,b,c\n1,2,3\n")
    assert list(read_csv(path, ["c", "a"])) == ["c", "a"]
    assert read_csv(path, ["c", "a"])["c"] == 3
    with pytest.raises(ValueError, match="expected columns 'd', 'A', got 'a', 'b', 'c'"):
        read_csv(path, ["d", "a", "A"])
    with pytest.raises(TypeError, match="expected columns to be a list of names, got 'a'"):
        read_csv(path, "a")


@pytest.mark.parametrize(
    "text", ['\ufeffname,x\r\n"Lee, ""Jo""",1\r\n"two\nlines",2\r\n', '"name","x"\n"Lee, ""Jo""",1\n"two\nlines",2']
)
def test_quotes_line_ends_and_byte_order_marks(store, text):
    table = read_csv(store(text))
    assert table["name"].tolist() == ['Lee, "Jo"', "two\nlines"] and table["x"].tolist() == [1, 2]


def test_gzip_and_no_rows(store):
    table = read_csv(store(gzip.compress(b"a,b\n")))
    assert {name: column.shape for name, column in table.items()} == {"a": (0,), "b": (0,)}


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b\n1,2\n1\n", "line 3: expected 2 entries, got 1"),
        ("a,b\n1,2,3\n", "line 2: expected 2 entries, got 3"),
        ('a,b\n"1\n1",2\n3\n', "line 4: expected 2 entries, got 1"),
        ("a;b\n1,2\n", "line 2: expected 1 entries, got 2"),
        ("", "line 1: expected the names of columns, got nothing"),
        ("a,b,a\n", "line 1: expected a name of its own for each column, got 'a'"),
        ("a,\n", "line 1: expected a name of its own for each column, got ''"),
        ('a\n"x\n', "line 2: unexpected end of data"),
        ('a\n"x"y\n', "line 2: ',' expected after"),
        ("a\n" + "x" * 200_000, "line 2: field larger than field limit"),
        (b"a\n\xff\n", "expected text in UTF-8"),
    ],
)
def test_what_is_wrong_is_named(store, text, message):
    path = store(text)
    with pytest.raises(ValueError, match=message) as error:
        read_csv(path)
    assert str(error.value).startswith(f"{path}: ")
