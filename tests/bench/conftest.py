"""Made-up results of benchmarks, written as asv writes them, and the dashboard made from them."""

import importlib.util
import sys
from pathlib import Path

import pytest

collect_ignore = ["synthetic.py"]  # it has no doctests, and needs asv
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def synthetic():
    """The module beside this file; skips where asv is missing."""
    pytest.importorskip("asv", reason="the benchmarks need asv: pip install 'fastnn-numba[bench]'")
    spec = importlib.util.spec_from_file_location("synthetic", Path(__file__).with_name("synthetic.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dashboard(synthetic):
    """The package asv_bench.dashboard, with its modules; skips where Jinja2 is missing."""
    pytest.importorskip("jinja2", reason="the dashboard needs Jinja2: pip install 'fastnn-numba[bench]'")
    sys.path.insert(0, str(ROOT))
    try:
        import asv_bench.dashboard.__main__
    finally:
        sys.path.remove(str(ROOT))
    return asv_bench.dashboard


@pytest.fixture(scope="session")
def whole(dashboard, synthetic, tmp_path_factory):
    """Folder of the dashboard of all that `synthetic.whole` has: machines, thread counts, failures, PyTorch's table."""
    conf = synthetic.whole(tmp_path_factory.mktemp("whole") / "a folder")
    return dashboard.__main__.build(conf).parent
