#!/usr/bin/env python3
"""Check that ``tools/bench.py compare`` flags a kernel that does its work twice, and nothing where nothing has changed.

    python tools/check_bench_compare.py                    five comparisons of the same code, one with a slower kernel
    python tools/check_bench_compare.py --unchanged 20

In a clone of this repository's commit that is checked out. A comparison takes a minute or more, so this is not among the tests:
those check the decision on recorded results and on a small function. The more other work there is on the machine, the more
it says.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL = "kernels/pooling.py", "maxpool2d_forward"
TWICE = """

def _twice(work):
    def work_twice(*arguments):
        work(*arguments)
        work(*arguments)

    return work_twice


{0} = _twice({0})
"""
# The kernel above, and another that stays as it is.
BENCH = [r"^pooling\.Maxpool2dForward\.time_kernel\(.*'numba'\)", r"^dense\.DenseForward\.time_kernel\(.*'numba'\)"]


def git(clone, *arguments):
    identity = ["-c", "user.name=check", "-c", "user.email=check@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", clone, *identity, *arguments], check=True, stdout=subprocess.DEVNULL)


def seed_slowdown(clone):
    """Commit a kernel that does its work twice."""
    path, name = KERNEL
    with open(clone / path, "a", encoding="utf-8") as file:
        file.write(TWICE.format(name))
    git(clone, "commit", "--quiet", "--all", "--message", f"{name} does its work twice")


def compare(clone, bench):
    """Exit code of a comparison of the last commit with the one before, and its last two paragraphs."""
    command = [sys.executable, clone / "tools/bench.py", "compare", "HEAD~1", "--machine", "check"]
    command += [word for regex in bench for word in ("--bench", regex)]
    home = {**os.environ, "HOME": str(clone.parent)}  # asv keeps the machine's name there
    done = subprocess.run(command, capture_output=True, text=True, env=home)
    if done.returncode not in (0, 1):
        sys.exit(f"{done.stdout}\n{done.stderr}\nexit code {done.returncode}")
    return done.returncode, "\n".join(done.stdout.split("\n\n")[-2:]).strip()


def expect(clone, bench, code, what):
    """Whether a comparison ends as it should."""
    start = time.monotonic()
    found, text = compare(clone, bench)
    right = found == code
    print(
        f"== {what}: exit code {found}, {'right' if right else 'WRONG'}, {time.monotonic() - start:.0f} s",
        text,
        sep="\n",
        flush=True,
    )
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unchanged", type=int, default=5, help="comparisons of the same code")
    parser.add_argument("--slower", type=int, default=1, help="comparisons with a slower kernel")
    parser.add_argument("--bench", action="append", metavar="REGEX", help="other benchmarks than those of two kernels")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "fastnn"
        subprocess.run(["git", "clone", "--quiet", "--local", ROOT, clone], check=True)
        git(clone, "commit", "--quiet", "--allow-empty", "--message", "nothing")
        bench = arguments.bench or BENCH
        right = [expect(clone, bench, 0, f"unchanged, {i + 1}") for i in range(arguments.unchanged)]
        seed_slowdown(clone)
        right += [expect(clone, bench, 1, f"slower, {i + 1}") for i in range(arguments.slower)]
    print(f"{sum(right)} of {len(right)} comparisons are right")
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
