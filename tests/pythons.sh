#!/bin/sh
# Build codec and cache, which need no torch, and run their tests on every supported Python that is here.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if "$candidate" -c '' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

tested=""
for version in 3.10 3.11 3.12 3.13; do
    python=$(find_python $version)
    if [ -z "$python" ]; then
        echo "== Python $version: not here"
        continue
    fi
    echo "== Python $version ($("$python" --version))"
    venv=.venv-$version
    if [ ! -e "$venv/.installed" ] || [ constraints.txt -nt "$venv/.installed" ]; then
        "$python" -m venv "$venv"
        "$venv/bin/pip" --quiet --disable-pip-version-check install -c constraints.txt \
            setuptools cython numpy pysimdjson pytest
        touch "$venv/.installed"
    fi
    "$venv/bin/python" setup.py --quiet build_ext --inplace --build-temp ".build/$version"
    PYTHONPATH=. "$venv/bin/python" -m pytest --quiet --noconftest -p no:cacheprovider \
        tests/codecs/json/test_decoder*.py tests/codecs/json/test_encoder*.py \
        tests/codecs/json/test_json*.py tests/models/test_cache*.py
    tested="$tested $version"
done
echo "== Passed on Python:$tested"
[ -n "$tested" ]
