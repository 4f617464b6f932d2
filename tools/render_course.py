"""Make docs/course.md: the lessons' text and code, with what each cell prints and draws.

    python tools/render_course.py                  all lessons; takes some minutes, and needs the full MNIST (FASTNN_DATA)
    python tools/render_course.py --only 3 5       these anew, the others as they are in the guide

Cells of a script begin with ``# %%``; those with ``# %% [markdown]`` are text, the others code. A reader who only wants to
know whether guide and scripts agree compares `render` without outputs with `without_outputs` of the guide, as the tests do.
"""

import argparse
import ast
import contextlib
import io
import re
import sys
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "examples" / "course"
GUIDE = ROOT / "docs" / "course.md"
PICTURES = ROOT / "docs" / "course"

_OPEN, _CLOSE = "<!-- output -->", "<!-- end -->"
_HEAD = """\
# A first course in neural networks

From one neuron to the networks that won competitions, every piece first by hand in NumPy and then as a layer of fastnn,
with the same numbers. Each lesson is a script in [examples/course](../examples/course) that runs by itself in seconds;
`make course` runs them all. This page is made from the scripts, with what they print and draw, by
`python tools/render_course.py`.
"""


class Cell(NamedTuple):
    """A piece of a script.

    Attributes
    ----------
    kind : {"text", "code"}
    source : str
        Markdown, or Python.
    line : int
        Where it begins in the script, from 1.
    """

    kind: str
    source: str
    line: int


def cells(script):
    """The cells of a script.

    Parameters
    ----------
    script : str
        Its text.

    Returns
    -------
    list of Cell

    Examples
    --------
    >>> cells("# %% [markdown]\\n# Two is\\n#\\n# even.\\n\\n# %%\\nprint(2)\\n")
    [Cell(kind='text', source='Two is\\n\\neven.', line=2), Cell(kind='code', source='print(2)', line=7)]
    """
    found, lines = [], script.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        body, is_text = lines[start + 1 : end], "[markdown]" in lines[start]
        if is_text:
            body = [re.sub(r"^# ?", "", line) for line in body]
        found.append(Cell("text" if is_text else "code", "\n".join(body).strip("\n"), start + 2))
    return found


def run(script):
    """Run a lesson cell by cell.

    Parameters
    ----------
    script : pathlib.Path

    Returns
    -------
    list of (str, list)
        For each cell what it printed and, as (path, caption), what it drew.
    """
    variables, results = {"__file__": str(script), "__name__": "__main__"}, []
    for cell in cells(script.read_text(encoding="utf-8")):
        printed, before = io.StringIO(), len(_pictures(variables))
        if cell.kind == "code":
            tree = ast.increment_lineno(ast.parse(cell.source), cell.line - 1)
            with contextlib.redirect_stdout(printed):
                exec(compile(tree, script, "exec"), variables)
        results.append((printed.getvalue(), _pictures(variables)[before:]))
    return results


def _pictures(variables):
    return list(variables["lesson"].pictures) if "lesson" in variables else []


def render(script, results=None):
    """A lesson as Markdown.

    Parameters
    ----------
    script : pathlib.Path
    results : list, optional
        Of `run`; without it there are no outputs.

    Returns
    -------
    str
    """
    parts = []
    for i, cell in enumerate(cells(script.read_text(encoding="utf-8"))):
        text = cell.kind == "text"
        parts.append(with_safe_math(_one_level_down(cell.source)) if text else f"```python\n{cell.source}\n```")
        if i == 0:
            parts.append(f"[{script.name}](../examples/course/{script.name})")
        printed, pictures = results[i] if results else ("", ())
        if printed or pictures:
            shown = [f"```text\n{printed.rstrip()}\n```"] if printed.strip() else []
            shown += [f"![{caption}](course/{path.name})\n\n*{caption}*" for path, caption in pictures]
            parts.append("\n\n".join([_OPEN, *shown, _CLOSE]))
    return "\n\n".join(parts) + "\n"


def _one_level_down(text):
    """Headings one level lower: the guide has a title of its own."""
    return re.sub(r"^#", "##", text, flags=re.MULTILINE)


def with_safe_math(text):
    """Formulas between dollars in the forms that Markdown leaves alone: in the other, it takes ``\\,`` for an escaped comma.

    Examples
    --------
    >>> print(with_safe_math("Of $a_i$:\\n\\n$$ b = a \\\\, c . $$\\n\\nThat is it."))
    Of $`a_i`$:
    <BLANKLINE>
    ```math
    b = a \\, c .
    ```
    <BLANKLINE>
    That is it.
    """
    pieces = re.split(r"\$\$(.+?)\$\$", text, flags=re.DOTALL)
    for i, piece in enumerate(pieces):
        if i % 2:
            pieces[i] = f"```math\n{piece.strip()}\n```"
        else:
            pieces[i] = re.sub(r"\$([^$`]+)\$", lambda found: f"$`{' '.join(found[1].split())}`$", piece)
    return "".join(pieces)


def without_outputs(text):
    """A rendered text as `render` makes it without results.

    Examples
    --------
    >>> without_outputs("a\\n\\n<!-- output -->\\n\\nb\\n\\n<!-- end -->\\n\\nc\\n")
    'a\\n\\nc\\n'
    """
    return re.sub(rf"\n{_OPEN}\n.*?\n{_CLOSE}\n", "", text, flags=re.DOTALL)


def scripts():
    """All lessons in order."""
    return sorted(LESSONS.glob("[0-9]*.py"))


def assemble(rendered):
    """The guide from its lessons, rendered, by script name."""
    titles = [re.search(r"^## (.*)", text, re.MULTILINE)[1] for text in rendered.values()]
    contents = "\n".join(f"- [{title}](#{anchor(title)})" for title in titles)
    return "\n".join([_HEAD, contents + "\n", *rendered.values()])


def anchor(title):
    """The fragment by which a heading is linked to, as GitHub makes it.

    Examples
    --------
    >>> anchor("5. Gradients, by differences")
    '5-gradients-by-differences'
    """
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def split(guide):
    """The lessons in a guide that `assemble` made, by script name."""
    bodies = re.split(r"^(?=## \d+\. )", guide, flags=re.MULTILINE)[1:]
    return {re.search(r"\]\(\.\./examples/course/(\d\d_\w+\.py)\)", body)[1]: body.rstrip("\n") + "\n" for body in bodies}


def main():
    """Write the guide."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", type=int, metavar="N", help="numbers of lessons to run; the others stay")
    arguments = parser.parse_args()
    sys.path.insert(0, str(LESSONS))
    sys.argv[1:] = [str(PICTURES)]
    before = split(GUIDE.read_text(encoding="utf-8")) if GUIDE.exists() else {}
    rendered = {}
    for script in tqdm(scripts(), unit="lesson"):
        if arguments.only and int(script.stem[:2]) not in arguments.only:
            rendered[script.name] = before.get(script.name) or render(script)
            continue
        for path in PICTURES.glob(f"{script.stem}_*.png"):
            path.unlink()
        rendered[script.name] = render(script, run(script))
    GUIDE.write_text(assemble(rendered), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
