"""Builds the native extensions; everything else about the package is in pyproject.toml."""

import os
from pathlib import Path

import numpy
import simdjson
from Cython.Build import cythonize
from setuptools import Extension, setup

SIMDJSON = str(Path(simdjson.__file__).parent)  # the wheel ships simdjson.h and simdjson.cpp

DEBUG = bool(os.environ.get("TORCH_SERVING_DEBUG"))  # `make debug` and `make asan`

COMMON = {
    "language": "c++",
    "include_dirs": ["ext", SIMDJSON, numpy.get_include()],
    "define_macros": [
        ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
        *([] if DEBUG else [("NDEBUG", None)]),  # simdjson checks itself without it
    ],
    "extra_compile_args": [
        "-std=c++17",
        "-O3",
        *([] if DEBUG else ["-g0"]),  # Python's own flags ask for debug information
        "-fvisibility=hidden",
        *os.environ.get("TORCH_SERVING_CXXFLAGS", "").split(),
    ],
    "extra_link_args": os.environ.get("TORCH_SERVING_LDFLAGS", "").split(),
}


DECODER = [
    "decimal",
    "document",
    "envelope",
    "error",
    "locate",
    "nodes",
    "numbers",
    "scalars",
    "simdjson_library",
    "tensor",
    "tokens",
]
ENCODER = ["encoder", "float64_text", "float_text", "integer_text"]


def extension(package: str, name: str, *sources: str) -> Extension:
    depends = [str(path) for path in sorted(Path("ext").glob("*.h"))]
    return Extension(
        f"torch_serving.{package}.{name}",
        [f"ext/{name}.pyx", *(f"ext/{source}.cpp" for source in sources)],
        depends=depends,
        **COMMON,
    )


setup(
    ext_modules=cythonize(
        [
            extension("codecs.json", "_decoder", *DECODER),
            extension("codecs.json", "_encoder", *ENCODER),
            extension("models", "_cache"),
            extension("http", "_connection"),
            extension("telemetry", "_counters"),
        ],
        include_path=["ext"],
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            "embedsignature.format": "python",
            "boundscheck": DEBUG,
            "wraparound": False,
        },
    ),
)
