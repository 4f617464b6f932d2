"""Rules of the code base that a reader relies on, held by tests: mirrors, signatures, docstrings, imports."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import fastnn
import fastnn.kernels

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = fastnn.kernels.resolve("reference")
FAMILIES = sorted(module.name for module in pkgutil.iter_modules(REFERENCE.__path__))


def public_functions(package, family):
    """Name -> function, of what a family's module defines itself without a leading underscore."""
    module = importlib.import_module(f"{package.__name__}.{family}")
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value)
        and not isinstance(value, type)
        and not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    }


def documented_parameters(function):
    """Names in the Parameters section of a NumPy-style docstring, in order."""
    doc = inspect.cleandoc(function.__doc__ or "")
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", doc, re.MULTILINE | re.DOTALL)
    if section is None:
        return []
    names = []
    for line in section[1].splitlines():
        if line and not line.startswith(" "):
            names += [name.strip(" *") for name in line.split(" : ")[0].split(",")]
    return names


KERNELS = [
    pytest.param(package, family, name, id=f"{package.__name__.removeprefix('fastnn.')}.{family}.{name}")
    for package in (fastnn.kernels, REFERENCE)
    for family in FAMILIES
    for name in public_functions(REFERENCE, family)
]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_has_a_twin(family):
    assert set(public_functions(fastnn.kernels, family)) == set(public_functions(REFERENCE, family))


@pytest.mark.parametrize("family", FAMILIES)
def test_twins_have_the_same_signature(family):
    twins = public_functions(REFERENCE, family)
    for name, function in public_functions(fastnn.kernels, family).items():
        assert str(inspect.signature(function)) == str(inspect.signature(twins[name])), name


@pytest.mark.parametrize("package, family, name", KERNELS)
def test_kernel_docstring_names_its_parameters(package, family, name):
    function = public_functions(package, family)[name]
    assert documented_parameters(function) == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_test_file(family):
    assert (ROOT / "tests" / "kernels" / f"test_{family}.py").is_file()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_is_tested(family):
    text = (ROOT / "tests" / "kernels" / f"test_{family}.py").read_text()
    for name in public_functions(REFERENCE, family):
        stem = name.removesuffix("_forward").removesuffix("_backward")  # tests may put the two together by name
        assert re.search(rf"\b({name}|{stem})\b", text), f"test_{family}.py does not mention {name}"


def python_files():
    folders = ("fastnn", "kernels", "tests", "asv_bench", "examples", "tools", "docs")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_nothing_imports_top_level_kernels():
    found = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            found += [f"{path.relative_to(ROOT)}:{node.lineno}" for n in names if n.split(".")[0] == "kernels"]
    assert not found


@pytest.mark.parametrize("name", fastnn.__all__)
def test_public_names_have_docstrings(name):
    value = getattr(fastnn, name)
    if callable(value) or inspect.ismodule(value):
        doc = value.__dict__.get("__doc__") if isinstance(value, type) else value.__doc__
        assert doc and doc.strip(), f"fastnn.{name} has no docstring of its own"


def test_public_names_are_unique():
    assert len(set(fastnn.__all__)) == len(fastnn.__all__)


# --- exported layers, losses and optimizers: what tests and lists lack

BASES = {"layer": fastnn.Layer, "loss": fastnn.Loss, "optimizer": fastnn.Optimizer}
PARTS = {
    kind: {v.__name__ for v in vars(fastnn).values() if isinstance(v, type) and issubclass(v, base)} - {base.__name__}
    for kind, base in BASES.items()
}
PARTS["layer"].remove("Network")  # a base, too
NOT_IN_CONTRACT = {"Lambda"}  # functions make no configuration, which the contract asks for: test_functions.py


def text_of(*path):
    return ROOT.joinpath(*path).read_text(encoding="utf-8")


def names_in(text):
    """All names in a text, where MaxPool1d/2d stands for two."""
    return set(re.findall(r"\w+", re.sub(r"(\w+)1d/2d", r"\g<1>1d \g<1>2d", text)))


def section(text, heading):
    """What stands under a heading of a Markdown file."""
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def test_every_layer_has_a_case_in_the_contract():
    cases = text_of("tests", "layers", "test_contract.py")
    assert not {name for name in PARTS["layer"] - NOT_IN_CONTRACT if f"fnn.{name}(" not in cases}


@pytest.mark.parametrize("kind", PARTS)
def test_everything_that_pytorch_has_is_compared_with_it(kind):
    torch = pytest.importorskip("torch")
    file = {"layer": "layers/test_against_torch.py", "loss": "losses/test_losses.py", "optimizer": "test_optimizers.py"}[kind]
    tests, theirs = text_of("tests", file), torch.optim if kind == "optimizer" else torch.nn
    names = {name for name in PARTS[kind] if hasattr(theirs, name)}
    assert not {name for name in names if not re.search(rf'"{name}"|nn\.{name}\(', tests)}, file


@pytest.mark.parametrize("kind", PARTS)
def test_readme_lists_everything(kind):
    lists, _ = section(text_of("README.md"), "What there is").split("- **Training**")
    missing = PARTS[kind] - names_in(lists)
    assert not missing, "in README.md"


@pytest.mark.parametrize("kind", PARTS)
def test_documentation_says_what_has_kernels_in_the_plan(kind):
    from fastnn.plan import graph, losses, updates

    text = text_of("docs", "plan.md")
    has, has_not = section(text, "What has kernels in the plan"), section(text, "When there is no plan")
    planned = {"layer": {*graph._LOWERINGS, *graph._CONTAINERS}, "loss": losses._STEPS, "optimizer": updates._RECORDS}[kind]
    known = {part.__name__ for part in planned} & PARTS[kind]
    missing = known - names_in(has)
    assert not missing, "in docs/plan.md, in the table of what has kernels"
    missing = PARTS[kind] - known - names_in(has_not)
    assert not missing, "in docs/plan.md, among what has none"
