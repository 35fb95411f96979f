#!/bin/sh
# Build the extensions with bounds checks, AddressSanitizer and UBSan, and run tests against them: those that
# are named, else all. It happens in a copy of everything, since tests import what stands beside them.
set -eu
cd "$(dirname "$0")/.."
bin=$(cd "${BIN:-.venv/bin}" && pwd)
copy=$PWD/.build/sanitizers
mkdir -p "$copy"
rm -rf "$copy/tests" "$copy/torch_serving" "$copy"/report.*
tar -c --exclude='./.*' --exclude='*.so' . | tar -x -C "$copy"
cd "$copy"

export TORCH_SERVING_DEBUG=1
export TORCH_SERVING_CXXFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
export TORCH_SERVING_LDFLAGS="-fsanitize=address,undefined"
"$bin/python" setup.py --quiet build_ext --inplace --build-temp .build

# Python and torch leak on purpose; tests of workers want to see signals. Reports go to files: a worker that
# dies of one is started again. (Warnings stand there too: of memory that tests ask for and nobody has.) Little that is
# freed is held back, for tests see how much memory a server takes; a leak of a twentieth of it is too small a part here.
export ASAN_OPTIONS="detect_leaks=0:handle_segv=0:allocator_may_return_null=1:quarantine_size_mb=16:log_path=$copy/report"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$copy/report"
export PYTHONMALLOC=malloc PYTHONPATH="$copy"
export LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
"$bin/python" -c 'import sys, torch_serving.codecs.json._decoder as it; sys.exit(sys.argv[1] not in it.__file__)' "$copy"
status=0
leak=tests/system/test_chaos.py::test_nothing_grows_and_a_planted_leak_is_caught
"$bin/python" -m pytest --quiet -p no:cacheprovider --deselect "$leak" "$@" || status=$?
if grep -l -e 'ERROR: AddressSanitizer' -e 'runtime error' report.*; then
    cat report.*
    status=1
fi 2> /dev/null
exit $status
