"""The bounds-checked build: an index outside an array is reported, though it happens in compiled code on any thread."""

import os
import subprocess
import sys
import textwrap


def test_an_index_outside_an_array_is_reported():
    code = """
        import sys
        import numpy as np
        import fastnn
        from fastnn.kernels._kernel import kernel

        @kernel(items=lambda out: out.size, chunk=lambda out: 8)
        def shifted(out, first, last):
            for i in range(first, last):
                out[i + 5] = 1

        reported = []
        sys.unraisablehook = lambda report: reported.append(report.exc_type.__name__)
        with fastnn.threads(2):
            shifted(np.zeros(64))
        print(reported)
    """
    # a kernel needs a file of its own to be found in
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run([sys.executable, "-"], input=textwrap.dedent(code), capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "['IndexError']", done.stdout + done.stderr
