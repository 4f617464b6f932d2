#!/usr/bin/env python3
"""Draw docs/plan.svg: lane blocks, the register tile, chunks in the caches, phases.

python tools/draw_plan.py            write it
python tools/draw_plan.py --check    say whether the one that is there is the same
"""

import argparse
import sys
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "plan.svg"
WIDTH, HEIGHT = 960, 610

STYLE = """
  text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .lane { font-size: 11px }
  .small { font-size: 11px; fill: #59636e }
  .center { text-anchor: middle }
  .line { stroke: #59636e; fill: none }
  .plain { fill: #f6f8fa; stroke: #8c959f }
  .values { fill: #b6d7ff; stroke: #0969da }
  .weights { fill: #ffd8a8; stroke: #bc4c00 }
  .sums { fill: #b7e4c0; stroke: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .line { stroke: #9198a1 }
    .plain { fill: #212830; stroke: #656c76 }
    .values { fill: #12386b; stroke: #4493f8 }
    .weights { fill: #5c3208; stroke: #db6d28 }
    .sums { fill: #12432a; stroke: #3fb950 }
  }
"""


def text(x, y, words, kind=""):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:g}" y="{y:g}"' + (f' class="{kind}"' if kind else "") + f">{words}</text>"


def box(x, y, width, height, kind="plain", label="", corner=2):
    shape = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{corner}" class="{kind}"/>'
    return shape + (text(x + width / 2, y + height / 2 + 4.5, label, "center") if label else "")


def line(*points):
    return '<path class="line" d="M' + " L".join(f"{x:g} {y:g}" for x, y in points) + '"/>'


def arrow(x, y, to_x, to_y):
    return f'<path class="line" marker-end="url(#head)" d="M{x:g} {y:g} L{to_x:g} {to_y:g}"/>'


def register(x, y, kind, width=96, height=14, lanes=16):
    """A register: a box with a mark between each two lanes."""
    marks = [line((x + i * width / lanes, y + height - 4), (x + i * width / lanes, y + height)) for i in range(1, lanes)]
    return [box(x, y, width, height, kind, corner=1), *marks]


def blocks(x, y):
    """Samples on the left, the registers that hold them on the right."""
    parts = [text(x, y, "A block holds 16 samples, one in each lane", "title")]
    for sample in (3, 2, 1, 0):
        left, top = x + 14 * sample, y + 30 + 12 * (3 - sample)
        parts.append(box(left, top, 66, 66))
        parts += [line((left, top + 16.5 * i), (left + 66, top + 16.5 * i)) for i in (1, 2, 3)]
        parts += [line((left + 16.5 * i, top), (left + 16.5 * i, top + 66)) for i in (1, 2, 3)]
        parts.append(box(left + 33, top + 16.5, 16.5, 16.5, "values", corner=0))
    parts.append(text(x, y + 152, "samples 0 to 15", "small"))
    parts.append(arrow(x + 122, y + 82, x + 146, y + 82))
    for row, (name, kind) in enumerate((("pixel (1, 2), channel 0", "values"), ("channel 1", "plain"), ("channel 2", "plain"))):
        top = y + 44 + 42 * row
        parts.append(text(x + 156, top - 4, name, "small"))
        for lane in range(16):
            parts.append(box(x + 156 + 17 * lane, top, 17, 20, kind, corner=0))
            parts.append(text(x + 156 + 17 * (lane + 0.5), top + 14, str(lane), "lane center"))
    parts.append(text(x + 156, y + 166, "one register each: 64 bytes, a cache line", "small"))
    return parts


def tile(x, y):
    """8 rows of weights times 3 positions."""
    parts = [text(x, y, "A tile: 8 filters at 3 positions", "title")]
    left, top = x + 100, y + 58
    for column in range(3):
        parts.append(text(left + 106 * column + 48, y + 24, f"position {column}", "small center"))
        parts += register(left + 106 * column, y + 30, "values")
    for row in range(8):
        parts.append(box(x + 60, top + 17 * row, 18, 14, "weights", corner=1))
        parts.append(text(x, top + 17 * row + 11, f"filter {row}", "small"))
        for column in range(3):
            parts += register(left + 106 * column, top + 17 * row, "sums")
    parts.append(text(x, y + 30, "inputs", "small"))
    parts.append(text(x, y + 43, "weights, sums", "small"))
    words = "24 sums stay in registers; each channel and tap adds 3 inputs x 8 weights"
    return [*parts, text(x, y + 212, words, "small")]


def caches(x, y):
    """Two threads, each with a chunk on its way through the layers."""
    parts = [
        text(
            x,
            y,
            "A thread carries a chunk of blocks through the layers, and back, inside the level-2 cache of its core",
            "title",
        )
    ]
    parts.append(text(x, y + 26, "blocks to do", "small"))
    for block in range(8):
        parts.append(
            box(x + 24 * (block % 3), y + 34 + 24 * (block // 3), 20, 20, "values" if block > 3 else "plain", str(block))
        )
    layers = ("conv", "pool", "conv", "pool", "dense", "loss")
    for thread, (name, block) in enumerate((("thread A", 2), ("thread B", 3))):
        top = y + 16 + 84 * thread
        parts.append(box(x + 128, top, 640, 72, corner=8))
        parts.append(text(x + 138, top + 20, name, "small"))
        parts.append(box(x + 140, top + 28, 34, 34, "values", str(block)))
        for n, layer in enumerate(layers):
            left = x + 200 + 92 * n
            parts.append(box(left, top + 28, 66, 14, "values"))
            parts.append(box(left, top + 48, 66, 14, "sums"))
            parts.append(text(left + 33, top + 22, layer, "small center"))
            start = x + 174 if n == 0 else left - 26
            parts.append(arrow(start + 2, top + 35, left - 3, top + 35))
            if n:
                parts.append(arrow(left - 2, top + 55, left - 23, top + 55))
        end = x + 200 + 92 * (len(layers) - 1) + 66
        parts.append(line((end, top + 35), (end + 10, top + 35), (end + 10, top + 55)))
        parts.append(arrow(end + 10, top + 55, end + 3, top + 55))
        parts.append(arrow(x + 768, top + 45, x + 796, top + 45))
        parts.append(box(x + 800, top + 28, 80, 34, "weights", f"set {block}"))
    parts.append(text(x + 800, y + 24, "gradients of weights,", "small"))
    parts.append(text(x + 800, y + 38, "a set for each chunk", "small"))
    return parts


def phases(x, y):
    """Two threads over time, with a line where they wait for each other."""
    parts = [text(x, y, "A step is a chain of phases: each begins when the one before is finished", "title")]
    spans = [  # label, seconds as pixels, pieces
        ("convolutions, pooling", 228, range(8), "values"),
        ("large dense layer", 96, ("rows",), "plain"),
        ("dense, loss, and back", 122, range(8), "values"),
        ("its gradients", 96, ("rows",), "plain"),
        ("pooling, convolutions, back", 216, range(8), "sums"),
        ("sums, update", 88, ("parts",), "weights"),
    ]
    left = x + 64
    for thread, name in enumerate(("thread A", "thread B")):
        parts.append(text(x, y + 54 + 30 * thread, name, "small"))
    for label, width, pieces, kind in spans:
        parts.append(text(left + width / 2, y + 28, label, "small center"))
        for thread in range(2):
            mine = list(pieces)[thread::2] if len(pieces) > 1 else pieces
            each = (width - 8) / len(mine)
            for n, piece in enumerate(mine):
                parts.append(box(left + 4 + n * each, y + 38 + 30 * thread, each - 2, 24, kind, str(piece)))
        left += width
        parts.append(line((left, y + 32), (left, y + 98)))
    return parts


def drawing():
    """The whole file."""
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="line" d="M1 1 L7 4 L1 7"/></marker>'
    )
    parts = [
        *blocks(24, 40),
        *tile(530, 40),
        *caches(24, 292),
        *phases(24, 500),
    ]
    title = "How a compiled plan computes: lane blocks, register tiles, chunks in caches, phases"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{head}</defs>",
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        sys.exit(None if OUTPUT.read_text(encoding="utf-8") == drawing() else f"{OUTPUT} is not what this draws")
    OUTPUT.write_text(drawing(), encoding="utf-8")


if __name__ == "__main__":
    main()
