#!/bin/sh
# Build the extensions with bounds checks, AddressSanitizer and UBSan, and run the codec's tests.
set -eu
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
export TORCH_SERVING_DEBUG=1
export TORCH_SERVING_CXXFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
export TORCH_SERVING_LDFLAGS="-fsanitize=address,undefined"
"$bin/python" setup.py --quiet build --build-base .build/debug --build-lib .build/debug/lib
LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=.build/debug/lib \
    "$bin/python" -m pytest --quiet --noconftest -p no:cacheprovider \
    tests/test_decoder*.py tests/test_encoder*.py tests/test_json*.py tests/test_cache.py
