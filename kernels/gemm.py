"""Matrix products on the register tiles: what the dense kernels are made of.   [M x K] @ [K x N] -> [M x N]

    multiply     c = a @ b (+ bias)       rows of b lie as they are: a tile broadcasts a and runs along rows of b
    multiply_nt  c = a @ b.T (+ bias)     rows of a and of b lie along k: packed, or straight from memory by dot tiles

The plan of a large product: b is packed into panels of NR columns, so that a tile reads it in one stream; then blocks of rows
times blocks of panels are independent items. The grid of items depends on the shapes alone, and every element of c is summed
in one order: the same bits for any number of threads.
"""

import numpy as np

from . import simd, tiles
from ._kernel import SERIAL_BELOW, flat, kernel
from ._threads import run, workspace
from .moves import copy_group, copy_rows, transpose_block
from .simd import DOT_WIDE, MAX_ROWS, OUTER_VECTORS
from .tiles import ACCUMULATE, COLUMN_BIAS, ZERO, dot_rows, invoke, outer_rows

EMPTY = {np.dtype(t): np.empty(0, t) for t in (np.float32, np.float64)}  # stands for no bias, no tail
_DEPTH = 512  # k is taken in blocks: a row block of a and one panel of b stay in the level-1 and level-2 caches
FLOPS_PER_NS = 60.0  # of one thread, roughly: decides only whether other threads are worth waking
_NO_PACKING_BELOW = 32  # rows of a: reading b in place is then cheaper than packing it
_DOT_BELOW = 16  # rows of a: transposing b is then dearer than adding up lanes


def panel_width(dtype):
    """Columns in one panel of b."""
    return simd.lanes(np.dtype(dtype).itemsize) * OUTER_VECTORS


@kernel()
def pack_panels(panels, b, transposed, first, last):
    """panels[p, k, j] = b[k, p*NR + j], or b[p*NR + j, k] if `transposed`. Items: panels.

    Columns beyond those of b are left as they are, or hold copies: a tile never stores what it makes of them.
    """
    depth, width = panels.shape[1], panels.shape[2]
    lane_count = simd.VECTOR_BYTES // b.itemsize
    for p in range(first, last):
        start = p * width
        if not transposed:
            valid = min(width, b.shape[1] - start)
            copy_rows(simd.pointer(panels, p * depth * width), width, simd.pointer(b, start), b.shape[1], depth, valid, 1)
            continue
        valid = min(width, b.shape[0] - start)
        whole = depth // lane_count * lane_count
        for j in range(0, valid, lane_count):
            for k in range(0, whole, lane_count):
                target = simd.pointer(panels, (p * depth + k) * width + j)
                transpose_block(target, width, simd.pointer(b, (start + j) * depth + k), depth, valid - j)
            for k in range(whole, depth):
                for i in range(min(lane_count, valid - j)):
                    panels[p, k, j + i] = b[start + j + i, k]


@kernel()
def multiply_blocks(
    c, a, a_transposed, b, panel_step, row_step, tail, bias, block_rows, block_panels, tile, first, last, scratch
):
    """One item: a block of rows of c times a block of panels.

    Panel p of b starts at element p*panel_step, its row k at k*row_step further on; where `tail` is not empty it holds the
    last panel. `a` is (M, K), or (K, M) if `a_transposed`: such a block is packed into scratch, MAX_ROWS values a step.
    """
    m, n = c.shape
    depth = a.shape[0] if a_transposed else a.shape[1]
    lane_count = simd.VECTOR_BYTES // c.itemsize
    width = lane_count * OUTER_VECTORS
    panels = (n + width - 1) // width
    column_blocks = (panels + block_panels - 1) // block_panels
    for item in range(first, last):
        top = item // column_blocks * block_rows
        bottom = min(m, top + block_rows)
        first_panel = item % column_blocks * block_panels
        last_panel = min(panels, first_panel + block_panels)
        for k0 in range(0, depth, _DEPTH):
            kc = min(_DEPTH, depth - k0)
            mode = ACCUMULATE if k0 > 0 else (COLUMN_BIAS if bias.size > 0 else ZERO)
            if a_transposed:
                packed = simd.array_at(simd.pointer(a, 0), scratch, block_rows * _DEPTH)
                for i in range(top, bottom, MAX_ROWS):
                    rows = min(MAX_ROWS, bottom - i)
                    target = (i - top) * kc
                    if rows == MAX_ROWS:
                        for k in range(kc):
                            copy_group(simd.pointer(packed, target), simd.pointer(a, (k0 + k) * m + i))
                            target += MAX_ROWS
                    else:
                        for k in range(kc):
                            for r in range(rows):
                                packed[target + r] = a[k0 + k, i + r]
                            target += MAX_ROWS
            for p in range(first_panel, last_panel):
                column = p * width
                valid = min(width, n - column)
                vectors = (valid + lane_count - 1) // lane_count
                if tail.size > 0 and p == panels - 1:
                    b_p, b_step = simd.pointer(tail, k0 * width), width
                else:
                    b_p, b_step = simd.pointer(b, p * panel_step + k0 * row_step), row_step
                bias_p = simd.pointer(bias, column if bias.size > 0 else 0)
                i = top
                while i < bottom:
                    rows = outer_rows(bottom - i)
                    if a_transposed:
                        at = i - top
                        # rows of a smaller tile lie inside a packed group of MAX_ROWS
                        a_i = simd.pointer(packed, at // MAX_ROWS * MAX_ROWS * kc + at % MAX_ROWS)
                        a_row, a_k = 1, MAX_ROWS
                    else:
                        a_i = simd.pointer(a, i * depth + k0)
                        a_row, a_k = depth, 1
                    c_i = simd.pointer(c, i * n + column)
                    invoke(tile, (rows, vectors, a_i, a_row, a_k, b_p, b_step, valid, kc, c_i, n, mode, bias_p))
                    i += rows


@kernel()
def dot_blocks(c, a, b, bias, block_columns, tile, first, last):
    """One item: block_columns columns of c = a @ b.T + bias, a (M, K), b (N, K)."""
    m, n = c.shape
    depth = a.shape[1]
    lane_count = simd.VECTOR_BYTES // c.itemsize
    for item in range(first, last):
        left = item * block_columns
        right = min(n, left + block_columns)
        for k0 in range(0, depth, 2 * _DEPTH):
            kc = min(2 * _DEPTH, depth - k0)
            whole, rest, accumulate = kc // lane_count, kc % lane_count, 1 if k0 > 0 else 0
            j = left
            while j < right:
                columns = DOT_WIDE if m == 1 and right - j >= DOT_WIDE else min(4, right - j)
                b_j = simd.pointer(b, j * depth + k0)
                i = 0
                while i < m:
                    rows = dot_rows(m - i)
                    a_i, c_ij = simd.pointer(a, i * depth + k0), simd.pointer(c, i * n + j)
                    invoke(tile, (rows, columns, a_i, depth, b_j, depth, whole, rest, c_ij, n, accumulate))
                    i += rows
                j += columns
        if bias.size > 0:
            for i in range(m):
                row, shift = c[i, left:right], bias[left:right]
                for j in range(row.size):
                    row[j] += shift[j]


def _grid(m, panels):
    """Rows and panels of one item: some sixteen items or more where the product is large enough."""
    block_rows = 64 if m >= 256 else 32 if m >= 64 else MAX_ROWS * 2
    block_panels = max(1, min(16, panels * -(-m // block_rows) // 16))
    return block_rows, block_panels


def _is_large(m, n, k):
    return 2.0 * m * n * k / FLOPS_PER_NS >= SERIAL_BELOW


def _run_multiply(c, a, a_transposed, b, b_transposed, bias):
    m, n = c.shape
    k = a.shape[0] if a_transposed else a.shape[1]
    width = panel_width(c.dtype)
    panels = -(-n // width)
    block_rows, block_panels = _grid(m, panels)
    phases = []
    none = EMPTY[c.dtype]
    if b_transposed or m >= _NO_PACKING_BELOW:
        packed = workspace("gemm.panels", (panels, k, width), c.dtype)
        phases.append(pack_panels.phase((packed, b, int(b_transposed)), panels))
        b_steps, tail = (packed.reshape(-1), k * width, width), none
    else:
        b_steps, tail = (flat(b), width, n), none
        if n % width:
            tail = workspace("gemm.panels", (1, k, width), c.dtype)
            last = np.ascontiguousarray(b[:, (panels - 1) * width :]) if panels > 1 else b
            phases.append(pack_panels.phase((tail, last, 0), 1))
    args = (c, a, int(a_transposed), *b_steps, tail.reshape(-1), none if bias is None else bias, block_rows, block_panels)
    args = (*args, tiles.outer(c.dtype))
    phases.append(multiply_blocks.phase(args, -(-m // block_rows) * -(-panels // block_panels)))
    scratch = block_rows * _DEPTH * c.itemsize if a_transposed else 0
    run(phases, scratch, parallel=_is_large(m, n, k))


def multiply(c, a, b, *, a_transposed=False, bias=None):
    """c = a @ b, or a.T @ b: c (M, N), a (M, K) or (K, M), b (K, N). K of 0 gives zeros (plus bias, (N,))."""
    if c.size == 0:
        return
    if b.shape[0] == 0:
        c[...] = 0 if bias is None else bias
        return
    _run_multiply(c, a, a_transposed, b, False, bias)


def multiply_nt(c, a, b, *, bias=None):
    """c = a @ b.T: c (M, N), a (M, K), b (N, K), bias (N,) added to every row."""
    m, n = c.shape
    k = a.shape[1]
    if c.size == 0:
        return
    if k == 0:
        c[...] = 0 if bias is None else bias
    elif m < _DOT_BELOW:
        block = max(8, min(64, -(-n // 16 // 4) * 4))
        phase = dot_blocks.phase((c, a, b, EMPTY[c.dtype] if bias is None else bias, block, tiles.dot(c.dtype)), -(-n // block))
        run([phase], parallel=_is_large(m, n, k))
    else:
        _run_multiply(c, a, False, b, True, bias)
