"""What `make bench-quick` runs: enough for a table of all kernels, in less than five minutes on two CPUs.

Regular expressions for asv's ``--bench``. The second case of every kernel is LeNet-like, and named so.
"""

BENCHMARKS = (r"\.time_kernel\('lenet", r"^networks\.\w+\.(time_step|track_images_per_second)", r"^startup\.Import\.")
