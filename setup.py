"""Builds the native extensions; everything else about the package is in pyproject.toml."""

import os
from pathlib import Path

import numpy
import simdjson
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

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
        # where a short loop happens to begin costs up to 7 % (docs/internals/numbers.md)
        "-falign-loops=32",
        "-falign-functions=32",
        *([] if DEBUG else ["-g0"]),  # Python's own flags ask for debug information
        "-fvisibility=hidden",
        *os.environ.get("TORCH_SERVING_CXXFLAGS", "").split(),
    ],
    "extra_link_args": os.environ.get("TORCH_SERVING_LDFLAGS", "").split(),
}


EXT = Path("ext")
HEADERS = [str(path) for path in sorted(EXT.glob("*/*.h"))]


def extension(module: str, *patterns: str) -> Extension:
    """A module of `torch_serving` from ext/cython/, linked with the C++ that the patterns name."""
    pyx = EXT / "cython" / module.replace(".", "/")
    cpp = [path for pattern in patterns for path in sorted(EXT.glob(f"{pattern}.cpp"))]
    return Extension(
        f"torch_serving.{module}",
        [f"{pyx}.pyx", *map(str, cpp)],
        depends=HEADERS,
        **COMMON,
    )


class BuildAfresh(build_py):
    """Packs no file of an earlier build: setuptools adds to `build/lib`, and removes nothing."""

    def run(self) -> None:
        modules = {each.name.rpartition(".")[2] for each in self.distribution.ext_modules}
        for path in Path(self.build_lib).rglob("*"):
            is_built = path.suffix == ".so" and path.name.partition(".")[0] in modules
            if path.is_file() and not is_built:
                path.unlink()
        super().run()


setup(
    cmdclass={"build_py": BuildAfresh},
    ext_modules=cythonize(
        [
            extension(
                "codecs.json._decoder",
                "document/*",
                "numerals/decimal",
                "numerals/scalars",
                "tensors/*",
            ),
            extension("codecs.json._encoder", "numerals/*_text", "writer/*"),
            extension("_unlocked_import", "torchscript/*"),
            extension("models._cache"),
            extension("models.backends.export.package._aoti", "aoti/*"),
            extension("telemetry._counters"),
            extension("http._connection"),
        ],
        include_path=["ext"],
        build_dir=".build/cython",
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            "embedsignature.format": "python",
            "boundscheck": DEBUG,
            "wraparound": False,
        },
    ),
)
