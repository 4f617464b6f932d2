"""A table of 400 applications for graduate study, drawn to the published statistics of a real one.

    python examples/course/admissions.py admissions.csv        write it as a file

The real table, 400 rows of admit, gre, gpa and rank, is in many textbooks on logistic regression (its usual source is UCLA,
Statistical Methods and Data Analytics: binary.csv). What is published about it:

    127 admitted; refused/admitted by rank of the college, 1 to 4: 28/33, 97/54, 93/28, 55/12
    gre   mean 587.7, standard deviation 115.5, 220 to 800 by 20
    gpa   mean 3.390, standard deviation 0.381, 2.26 to 4.00
    admitted applicants have the better grades: gre 619 on average against 573, gpa 3.49 against 3.34
"""

import csv
import sys

import numpy as np

COUNTS = {1: (28, 33), 2: (97, 54), 3: (93, 28), 4: (55, 12)}  # rank: (refused, admitted)
COLUMNS = ("admit", "gre", "gpa", "rank")


def generate(seed=3):
    """The table.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of (400,) arrays
        admit (0 or 1), gre, gpa, rank (1 to 4).
    """
    rng = np.random.default_rng(seed)
    pairs = [(admit, rank) for rank, counts in COUNTS.items() for admit in (0, 1) for _ in range(counts[admit])]
    admit, rank = rng.permutation(pairs).T
    # Both grades go with a common ability; the admitted have a little more of each.
    ability, luck = rng.standard_normal(400), rng.standard_normal((2, 400))
    gre, gpa = np.sqrt(0.4) * ability + np.sqrt(0.6) * luck + np.array([[0.41], [0.40]]) * admit
    return {
        "admit": admit,
        "gre": _fit(gre, 587.7, 115.5, 220, 800, 20, 1),
        "gpa": _fit(gpa, 3.390, 0.381, 2.26, 4.0, 0.01, 3),
        "rank": rank,
    }


def _fit(values, mean, deviation, low, high, step, digits):
    """`values` scaled, rounded to `step` and cut to low..high, so that mean and deviation come out as wanted."""
    shift, scale = mean, deviation
    for _ in range(1000):
        found = np.clip(np.round((shift + scale * values) / step) * step, low, high).round(2)
        found[values.argmin()], found[values.argmax()] = low, high
        if round(found.mean(), digits) == mean and round(found.std(ddof=1), digits) == deviation:
            return found
        shift += 0.3 * (mean - found.mean())
        scale *= (deviation / found.std(ddof=1)) ** 0.3
        values = values + 1e-3 * np.sin(np.arange(len(values)) + shift)  # rounding has no slope: move on a little
    raise ValueError(f"admissions: no values of mean {mean} and deviation {deviation} found")


def main():
    """Write the table to the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python admissions.py FILE.csv")
    table = generate()
    with open(sys.argv[1], "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(zip(*(table[name].tolist() for name in COLUMNS)))


if __name__ == "__main__":
    main()
