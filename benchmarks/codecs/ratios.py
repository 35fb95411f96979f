"""The results of bench_codecs.py and bench_binary.py -> a table of ratios against the targets."""

import json
import sys
from pathlib import Path

from benchmarks.support.compare import Ratio, record

NUMBERS = 150_528  # in each of the large bodies


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text())
    medians = {
        benchmark["name"].removeprefix("bench_"): benchmark["stats"]["median"]
        for benchmark in report["benchmarks"]
    }
    decode = medians["decode[ours]"]
    encode = medians["encode[encode_ours]"]
    small = medians["small[codec]"] - medians["small[torch_calls]"]
    rows = [
        ("decode / bare simdjson loop", decode / medians["decode_bare_loop"], "<= 1.15"),
        ("json + torch / decode", medians["decode[json_and_torch]"] / decode, ">= 8"),
        ("orjson + numpy / decode", medians["decode[orjson_and_numpy]"] / decode, ""),
        ("pysimdjson + numpy / decode", medians["decode[pysimdjson_and_numpy]"] / decode, ""),
        ("encode / orjson", encode / medians["encode[encode_orjson]"], "<= 1"),
        ("json / encode", medians["encode[encode_json]"] / encode, ""),
        ("small body above the calls into torch, µs", small * 1e6, "<= 5"),
    ]
    print("\n| ratio of medians | measured | target |\n| --- | --- | --- |")
    for name, ratio, target in rows:
        print(f"| {name} | {ratio:.2f} | {target} |")
        better = "more" if " / decode" in name or name == "json / encode" else "less"
        record(name, Ratio(ratio, better))
    print_elements(medians)
    print_results(medians)
    print_binary(medians)


def print_elements(medians: dict[str, float]) -> None:
    elements = {
        name.removeprefix("elements[").removesuffix("]"): median
        for name, median in medians.items()
        if name.startswith("elements[")
    }
    float32 = elements["float32, 17 digits"]
    print("\n| numbers | ns each | rate / float32's | target |\n| --- | --- | --- | --- |")
    for name, median in elements.items():
        target = ">= 1.3" if "int" in name else "" if "float32" in name else ">= 0.7"
        record(f"rate of {name} / float32", Ratio(float32 / median, "more"))
        print(f"| {name} | {median / NUMBERS * 1e9:.1f} | {float32 / median:.2f} | {target} |")


def print_results(medians: dict[str, float]) -> None:
    print("\n| numbers written | ns each | orjson / encode |\n| --- | --- | --- |")
    for key, median in medians.items():
        if not key.startswith("results[encode_ours-"):
            continue
        orjson = medians.get(key.replace("encode_ours", "encode_orjson"))
        ratio = f"{orjson / median:.2f}" if orjson else ""
        name = key.removeprefix("results[encode_ours-").removesuffix("]")
        print(f"| {name} | {median / NUMBERS * 1e9:.1f} | {ratio} |")


def print_binary(medians: dict[str, float]) -> None:
    print("\n| binary body | µs | safetensors' library / it |\n| --- | --- | --- |")
    for name, median in medians.items():
        step, _, case = name.removesuffix("]").partition("[")
        form, _, payload = case.partition("-")
        if step in ("read", "write") and form != "library":
            ratio = medians[f"{step}[library-{payload}]"] / median
            print(f"| {step} {payload}, {form} | {median * 1e6:.1f} | {ratio:.2f} |")
            if form == "safetensors":
                record(f"{step} {payload}, library / safetensors", Ratio(ratio, "more"))


if __name__ == "__main__":
    main()
