"""Measurements as a picture: throughput of each load, and latency by percentile."""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import NamedTuple
from xml.sax.saxutils import escape

from torch_serving.bench.measurement import Measurement
from torch_serving.bench.report import ms_text

WIDTH, HEIGHT = 960, 470
TOP, BOTTOM = 96, 410  # of the panels
BAR_HEIGHT = 76.0  # of one load, with its names and figures
COLOURS = 6
# colours that can be told apart by most eyes; in the dark, lighter ones
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #222 }
.title { font-size: 20px; font-weight: 600 } .small { font-size: 12px; fill: #666 }
.paper { fill: #fff } .grid { stroke: #ddd } .curve { fill: none; stroke-width: 2.5 }
.before { stroke-dasharray: 5 5; opacity: .55 }
.c0 { --c: #0072b2 } .c1 { --c: #d55e00 } .c2 { --c: #009e73 }
.c3 { --c: #b4559b } .c4 { --c: #b88700 } .c5 { --c: #5b5fc7 }
.curve { stroke: var(--c) } .bar { fill: var(--c) }
@media (prefers-color-scheme: dark) {
text { fill: #eee } .small { fill: #aaa } .paper { fill: #16181c } .grid { stroke: #3a3d44 }
.c0 { --c: #56b4e9 } .c1 { --c: #ff8c42 } .c2 { --c: #35d0a5 }
.c3 { --c: #e79fd0 } .c4 { --c: #f0c34e } .c5 { --c: #a3a6ff } }
"""
MARKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
STEPS_PER_DECADE = 24


class Panel(NamedTuple):
    """Latency by percentile: where it lies, and what its axes reach."""

    left: float
    right: float
    decades: float  # of the share that is slower
    lowest: float  # of log10(ms)
    highest: float

    def x(self, percentile: float) -> float:
        share = -log10(1 - percentile / 100)
        return self.left + (self.right - self.left) * share / self.decades

    def y(self, ms: float) -> float:
        share = (log10(ms) - self.lowest) / (self.highest - self.lowest)
        return BOTTOM - (BOTTOM - TOP) * share


def picture(
    title: str,
    subtitles: Sequence[str],
    measurements: Sequence[Measurement],
    earlier: Sequence[Measurement] = (),
) -> str:
    """Return an SVG; curves of earlier measurements are dashed."""
    shown = [each for each in measurements if each.latencies.count]
    before = [each for each in earlier if each.latencies.count]
    lines = [text(24, 36, title, "title")]
    lines += [text(24, 58 + 17 * at, each, "small") for at, each in enumerate(subtitles)]
    if shown:
        lines += bars(shown)
        lines += curves(panel_of(390, [*shown, *before]), shown, before)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(words)}</text>"


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def bars(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Throughput: a bar for each load, with its figure."""
    left, right = 24, 330
    most = max(each.rate for each in measurements) or 1.0
    height = min(BAR_HEIGHT, (BOTTOM - TOP - 20) / len(measurements))
    yield text(left, TOP, "requests/s")
    for at, each in enumerate(measurements):
        y = TOP + 18 + at * height
        width = (right - left) * each.rate / most
        yield text(left, y + 12, each.load.name, "small")
        yield (
            f'<rect class="bar c{at % COLOURS}" x="{left}" y="{y + 17:.1f}" '
            f'width="{width:.1f}" height="{height * 0.25:.1f}" rx="2"/>'
        )
        yield text(right, y + 12, f"{each.rate:,.0f}", "", "end")
        if height == BAR_HEIGHT:
            times = [ms_text(each.percentile_ms(percentile)) for percentile in (50, 99)]
            yield text(left, y + 51, "p50 {}, p99 {} ms".format(*times), "small")


def panel_of(left: float, measurements: Sequence[Measurement]) -> Panel:
    """Axes that hold all curves."""
    counts = max(each.latencies.count for each in measurements)
    lows = [each.percentile_ms(0.001) for each in measurements]
    highs = [each.latencies.max_ms for each in measurements]
    lowest, highest = floor(log10(min(lows))), ceil(log10(max(highs)))
    decades = min(max(log10(counts), 1.0), 5.0)
    return Panel(left, WIDTH - 30, decades, lowest, max(highest, lowest + 1))


def curves(
    panel: Panel, measurements: Sequence[Measurement], earlier: Sequence[Measurement]
) -> Iterator[str]:
    yield text(panel.left, TOP - 10, "latency in ms, by percentile of requests")
    yield from axes(panel)
    before = {(each.load.connections, each.load.rate): each for each in earlier}
    if before:
        yield text(panel.right, TOP - 10, "dashed: before", "small", "end")
    for at, each in enumerate(measurements):
        kind = f"curve c{at % COLOURS}"
        other = before.get((each.load.connections, each.load.rate))
        if other:
            yield curve(panel, other, f"{kind} before")
        yield curve(panel, each, kind)


def axes(panel: Panel) -> Iterator[str]:
    for power in range(int(panel.lowest), int(panel.highest) + 1):
        y = panel.y(10.0**power)
        yield line(panel.left, y, panel.right, y)
        yield text(panel.left - 6, y + 4, f"{10.0**power:g}", "small", "end")
    for percentile in MARKS:
        if percentile == 0 or -log10(1 - percentile / 100) <= panel.decades:
            x = panel.x(percentile)
            yield line(x, TOP, x, BOTTOM)
            yield text(x, BOTTOM + 18, f"{percentile:g} %", "small", "middle")


def curve(panel: Panel, each: Measurement, kind: str) -> str:
    """Latency from the fastest request to the slowest."""
    last = min(log10(each.latencies.count), panel.decades)
    steps = range(int(last * STEPS_PER_DECADE) + 1)
    percentiles = (100 * (1 - 10 ** (-at / STEPS_PER_DECADE)) for at in steps)
    points = " ".join(
        f"{panel.x(at):.1f},{panel.y(max(each.percentile_ms(at), 0.001)):.1f}" for at in percentiles
    )
    p99 = f"{each.load.name}: p99 {ms_text(each.percentile_ms(99))} ms"
    return f'<polyline class="{kind}" points="{points}"><title>{escape(p99)}</title></polyline>'
