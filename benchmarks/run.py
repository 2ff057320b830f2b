"""Side by side with Orthanc: the same works in turn, on one machine, in one session.

    .venv/bin/python -m benchmarks.run [--quick] [--rounds N] [--instances N] [--only ours|rival]

A figure counts only as a ratio: above 1 this archive, with everything on, is faster.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import archives
from benchmarks.archives import Archive
from benchmarks.studies import Study, make_study
from benchmarks.works import LANES, Fresh, Work, every_work, fill

RESULTS = Path(__file__).parent / "results"
OURS = "ours"
SIDES = {"rival_plain": "Orthanc, plain", "rival_tls": "Orthanc, mutual TLS", OURS: "pacs_secure, everything on"}

Seconds = dict[str, dict[str, list[float]]]
"""Work, then side, then every value measured."""


def start(stack: ExitStack, folder: Path, only: str | None) -> dict[str, Archive]:
    """Start both sides, or say by name what is left out."""
    lacking = archives.missing()
    started: dict[str, Archive] = {}
    if lacking:
        print(f"Without {', '.join(lacking)}: the rival is left out", file=sys.stderr)
    elif only != OURS:
        started["rival_plain"] = stack.enter_context(archives.orthanc(folder / "plain", tls=False))
        started["rival_tls"] = stack.enter_context(archives.orthanc(folder / "tls", tls=True))
    if only != "rival":
        started[OURS] = stack.enter_context(archives.ours(folder / "ours"))
    return started


def measure(started: dict[str, Archive], works: list[Work], folder: Path, options: argparse.Namespace) -> Seconds:
    """Do every work on every side in turn, once a round, the order turning with the rounds."""
    seconds: Seconds = {work.name: {side: [] for side in started} for work in works}
    small = [make_study(folder / f"small{number}", f"SMALL{number:05}", 1, 16) for number in range(options.studies)]
    for side, archive in started.items():
        if side != "rival_tls":
            fill(archive, [path for study in small for path in study.files])
    sides = list(started)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        fresh = _fresh(folder / f"round{number}", number, options.instances)
        turned = sides[number % len(sides) :] + sides[: number % len(sides)]
        for work in works:
            for side in turned:
                if side != "rival_tls" or work.wire == "dicom":
                    seconds[work.name][side] += work.run(started[side], fresh)
        shutil.rmtree(folder / f"round{number}")
    return seconds


def _fresh(folder: Path, number: int, instances: int) -> Fresh:
    def study(name: str) -> Study:
        return make_study(folder / name, f"BENCH{number:03}{name}", instances)

    return Fresh(study("S"), [study(f"P{lane}") for lane in range(LANES)], study("W"))


def summary(seconds: Seconds, works: list[Work]) -> list[dict[str, object]]:
    """Give each work's medians, its p99 where there are enough values, and the ratios."""
    lines = []
    for work in works:
        measured = {side: values for side, values in seconds[work.name].items() if values}
        medians = {side: statistics.median(values) for side, values in measured.items()}
        line: dict[str, object] = {"work": work.name, "per": work.per, "median_s": medians}
        line["p99_s"] = {
            side: statistics.quantiles(values, n=100)[98] for side, values in measured.items() if len(values) >= 50
        }
        line["ratio"] = {
            side: round(median / medians[OURS], 3)
            for side, median in medians.items()
            if OURS in medians and side != OURS
        }
        lines.append(line)
    return lines


def show(lines: list[dict[str, object]]) -> None:
    """Print the table."""
    table = Table(title="Median, ratio above 1: this archive is faster", title_justify="left")
    table.add_column("work")
    table.add_column("per")
    for title in ("Orthanc plain", "Orthanc TLS", "pacs_secure", "to plain", "to TLS"):
        table.add_column(title, justify="right")
    for line in lines:
        medians, ratios = _numbers(line["median_s"]), _numbers(line["ratio"])
        times = [f"{medians[side] * 1000:,.1f} ms" if side in medians else "" for side in SIDES]
        compared = [f"{ratios[side]:.2f}" if side in ratios else "" for side in ("rival_plain", "rival_tls")]
        table.add_row(str(line["work"]), str(line["per"]), *times, *compared)
    Console(width=120).print(table)


def _numbers(value: object) -> dict[str, float]:
    return value if isinstance(value, dict) else {}


def machine() -> dict[str, object]:
    """Say on what it was measured."""
    model = [
        line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": model[0] if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }


def keep(
    lines: list[dict[str, object]], seconds: Seconds, started: dict[str, Archive], options: argparse.Namespace
) -> Path:
    """Write the result with everything that is needed to judge it."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.run", *sys.argv[1:]]),
        "commit": git.stdout.strip(),
        "machine": machine(),
        "versions": archives.versions(),
        "sides": {side: SIDES[side] for side in started},
        "options": {"rounds": options.rounds, "instances": options.instances, "other_studies": options.studies},
        "results": lines,
        "seconds": {
            work: {side: [round(value, 6) for value in values] for side, values in sides.items()}
            for work, sides in seconds.items()
        },
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description="Compare with Orthanc, side by side.")
    parser.add_argument("--quick", action="store_true", help="one round and few studies; nothing is written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--instances", type=int, default=100, help="instances of a study")
    parser.add_argument("--studies", type=int, default=1000, help="other studies that a search has to look past")
    parser.add_argument("--only", choices=["ours", "rival"], help="measure one side alone; nothing is written")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.studies = 1, 100
    works = every_work(options.instances)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        started = start(stack, Path(temporary), options.only)
        if not started:
            return 0
        seconds = measure(started, works, Path(temporary), options)
    lines = summary(seconds, works)
    show(lines)
    if not options.quick and not options.only:
        print(f"kept in {keep(lines, seconds, started, options)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
