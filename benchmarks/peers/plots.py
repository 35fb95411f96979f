"""The results of `python -m benchmarks.peers` -> docs/throughput.svg and docs/latency.svg."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from benchmarks.peers.report import best

RESULTS = Path(".benchmarks/peers.json")
DOCS = Path("docs")
GREY = "#808890"  # on white and on black
COLOURS = ("#e8590c", "#f59f00", "#4c8df6", "#12a5b8", "#2f9e44", "#94a818", "#a873e8", "#d6589f")
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "torch-serving",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GREY,
    "grid.alpha": 0.25,
}
CAPTIONS = {
    "mlp": "MLP 16→64→4",
    "image": "convolution, image of 1×3×224×224 (3.1 MB)",
}


def main() -> None:
    results = json.loads(RESULTS.read_text())["results"]
    with mpl.rc_context(STYLE):
        draw(results, 0, "requests/s", DOCS / "throughput.svg")
        draw(results, 2, "99th percentile of the latency, ms", DOCS / "latency.svg")


def draw(results: list[dict[str, Any]], figure_of_round: int, label: str, path: Path) -> None:
    """Draw a panel for each workload, and in each a line for each server."""
    families = list(dict.fromkeys(family(result["server"]) for result in results))
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    panels = figure.subplots(1, len(CAPTIONS))
    for panel, workload in zip(panels, CAPTIONS, strict=True):
        for result in results:
            if result["workload"] == workload:
                line(panel, result, figure_of_round, families.index(family(result["server"])))
        rounds = next(result["rounds"] for result in results if result["workload"] == workload)
        dress(panel, CAPTIONS[workload], [int(count) for count in rounds])
    panels[0].set_ylabel(label)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


def family(server: str) -> str:
    """Variants of a server share a colour: mosec-batches, torch-serving-2."""
    return server.removesuffix("-batches").removesuffix("-2")


def line(panel: Axes, result: dict[str, Any], figure_of_round: int, index: int) -> None:
    points = {int(c): best(rounds)[figure_of_round] for c, rounds in result["rounds"].items()}
    ours = result["server"].startswith("torch-serving")
    panel.plot(
        list(points),
        list(points.values()),
        color=COLOURS[index % len(COLOURS)],
        linewidth=2.8 if ours else 1.4,
        linestyle="-" if result["server"] == family(result["server"]) else "--",
        marker="o",
        markersize=6 if ours else 4,
        zorder=3 if ours else 2,
        label=result["server"],
    )


def dress(panel: Axes, caption: str, connections: list[int]) -> None:
    panel.set_title(caption, fontsize=10)
    panel.set_xlabel("connections")
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(connections)
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.10g}"))
    panel.grid(axis="y")


if __name__ == "__main__":
    main()
