"""docs/course.md says what the lessons say."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("render_course", ROOT / "tools" / "render_course.py")
course = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(course)


@pytest.fixture(scope="module")
def lessons():
    return course.split(course.GUIDE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", course.scripts(), ids=lambda path: path.stem)
def test_text_and_code_are_the_script(script, lessons):
    assert course.without_outputs(lessons[script.name]) == course.render(script), "run python tools/render_course.py"


def test_no_lesson_is_missing(lessons):
    assert list(lessons) == [script.name for script in course.scripts()]
    assert [int(name[:2]) for name in lessons] == list(range(1, len(lessons) + 1))


def test_pictures_exist_and_none_is_left_over():
    shown = re.findall(r"!\[[^\]]*\]\(course/([^)]+)\)", course.GUIDE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.name for path in course.PICTURES.glob("*.png"))


def test_links_within_the_guide_lead_somewhere():
    text = course.GUIDE.read_text(encoding="utf-8")
    headings = {course.anchor(title) for title in re.findall(r"^#+ (.*)", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("script", course.scripts(), ids=lambda path: path.stem)
def test_each_lesson_has_a_test(script):
    assert (ROOT / "tests" / "course" / f"test_{script.stem}.py").is_file()
