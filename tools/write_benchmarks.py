#!/usr/bin/env python3
"""README's table of kernels, and the picture of the dashboard, from the results in asv_bench/results.

    python tools/write_benchmarks.py                       print the table
    python tools/write_benchmarks.py --write README.md     put it into the section of that document
    python tools/write_benchmarks.py --picture docs/dashboard.png

The results are those of the newest run, of `make bench`; the picture is of asv_bench/html, which `make dashboard` writes, and
is taken by a Chromium without a window.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _tables import markdown, write_section

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "asv_bench"
COMMAND = "make bench dashboard readme"
HEADER = ("kernel", "case", "shape", "Numba", "NumPy", "speed-up", "rate", "of peak")
CASES = ("vgg",)  # what the names of the cases shown begin with
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH, HEIGHT = 1280, 1500


def table(configuration, benchmarks, cases):
    """Markdown: a row for each kernel and case of those."""
    from asv_bench.dashboard import rows, text

    def cells(row):
        rate = f"{text.three_digits(row.rate)} {row.rate_unit}" if text.is_figure(row.rate) else ""
        peak = text.percent(row.peak) if text.is_figure(row.peak) else ""
        return (
            row.kernel,
            row.case,
            row.shape,
            text.seconds(row.numba),
            text.seconds(row.numpy),
            f"**{text.ratio(row.speedup)}**",
            rate,
            peak,
        )

    shown = [row for row in rows.kernels(configuration, benchmarks) if row.case.startswith(cases)]
    return markdown(HEADER, map(cells, shown))


def caption(configuration):
    """What made the table: command, machine, threads, versions, commit, date."""
    machine, run, versions = configuration.machine, configuration.last, configuration.versions
    threads = f"{configuration.threads} thread{'s' if configuration.threads != '1' else ''} on {machine['num_cpu']} CPUs"
    packages = [f"{name} {versions[key]}" for key, name in VERSIONS.items() if key in versions]
    facts = [machine["cpu"], threads, *packages, f"commit {run.commit[:8]}", f"{run.measured:%Y-%m-%d}"]
    return f"`{COMMAND}`: {', '.join(facts)}."


VERSIONS = {"fastnn": "fastnn", "numba": "Numba", "numpy": "NumPy", "python": "Python"}


def screenshot(page, picture):
    """Take a picture of the top of a page, with a browser that is installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"no picture: none of {', '.join(BROWSERS)} is installed")
    if not page.is_file():
        sys.exit(f"no picture: {page} is missing, which make dashboard writes")
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}", f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # which root cannot have
        command = [browser, *options, f"--screenshot={Path(picture).resolve()}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=SUITE / "asv.conf.json", metavar="FILE", help="asv's configuration")
    parser.add_argument("--results", metavar="FOLDER", help="default: as the configuration says")
    parser.add_argument("--case", action="append", metavar="NAME", help="cases whose names begin so; default: vgg")
    parser.add_argument("--write", metavar="FILE", help="document whose section <!-- measured: kernels --> is replaced")
    parser.add_argument("--picture", metavar="FILE.png", help="take a picture of the dashboard")
    arguments = parser.parse_args()

    sys.path.insert(0, str(ROOT))
    from asv.util import UserError

    from asv_bench.dashboard import publishing, results

    try:
        found = results.read(publishing.load(arguments.config, arguments.results))
    except UserError as error:
        sys.exit(f"tools/write_benchmarks.py: {error}")
    newest = found.configurations[0]
    text = f"{table(newest, found.benchmarks, tuple(arguments.case or CASES))}\n\n{caption(newest)}"
    if arguments.write:
        write_section(arguments.write, "kernels", text)
    else:
        print(text)
    if arguments.picture:
        screenshot(SUITE / "html" / "index.html", arguments.picture)


if __name__ == "__main__":
    main()
