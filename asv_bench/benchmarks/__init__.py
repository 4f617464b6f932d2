"""Benchmarks of fastnn for airspeed velocity: one module for each family of kernels, then networks, start-up and memory.

A class is one operation; its cases are named, and its last parameter `impl` says who does the work: "numba", the kernels, or
"numpy", their twins of the same signatures. docs/benchmarks.md says how to run them, read them and add one.
"""
