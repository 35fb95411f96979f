#!/bin/sh
# Fuzz the codec's C++ with libFuzzer, AddressSanitizer and UBSan, or show what the corpus covers of it:
#
#   sh tests/fuzz/fuzz.sh run [target...]     FUZZ_SECONDS for each; new inputs stay in .build/fuzz/found
#   sh tests/fuzz/fuzz.sh merge [target...]   add those of them to the corpus that reach new code
#   sh tests/fuzz/fuzz.sh coverage            the share of the lines that the corpus reaches
set -eu
cd "$(dirname "$0")/../.."
python=${BIN:-.venv/bin}/python
clang=${CLANGXX:-clang++}
out=.build/fuzz
corpus=tests/fuzz/corpus
command=${1:-run}
[ $# -eq 0 ] || shift
targets=${*:-decoder numbers encoder}
sanitize="-O2 -fsanitize=address,undefined -fno-sanitize-recover=all"

mkdir -p $out
echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' > $out/probe.cpp
if ! "$clang" -fsanitize=fuzzer,address,undefined $out/probe.cpp -o $out/probe 2> $out/probe.log; then
    echo "== The C++ is not fuzzed: there is no $clang with libFuzzer (Debian: clang; CLANGXX names another)"
    exit 0
fi

# build FOLDER FLAG...: all targets, unless they are newer than what they are made from
build() {
    folder=$out/$1
    shift
    [ -z "$(find ext tests/fuzz -name '*.[chs]*' -newer "$folder/built" 2>&1)" ] && return
    echo "== Building $folder"
    mkdir -p "$folder"
    simdjson=$("$python" -c 'import os, simdjson; print(os.path.dirname(simdjson.__file__))')
    set -- -std=c++17 -g -DNDEBUG -D_GLIBCXX_ASSERTIONS -Iext -Itests/fuzz -isystem "$simdjson" "$@"
    for source in ext/*/*.cpp tests/fuzz/expected.cpp tests/fuzz/failing_memory.cpp \
        tests/fuzz/reading.cpp tests/fuzz/windows.cpp; do
        case $source in
            ext/document/simdjson* | tests/*) guide= ;;  # libFuzzer is led by our code only
            *) guide=-fsanitize=fuzzer-no-link ;;
        esac
        "$clang" "$@" $guide -c "$source" -o "$folder/part-$(basename "$source" .cpp).o"
    done
    for target in decoder numbers encoder; do
        "$clang" "$@" -c "tests/fuzz/$target.cpp" -o "$folder/$target.o"
        "$clang" "$@" -fsanitize=fuzzer -Wl,--wrap=realloc "$folder/$target.o" "$folder"/part-*.o -o "$folder/$target"
    done
    touch "$folder/built"
}

run() {
    build fuzzers $sanitize
    for target in $targets; do
        echo "== Fuzzing $target for ${FUZZ_SECONDS:-60} seconds"
        mkdir -p "$out/found/$target"
        "$out/fuzzers/$target" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=1024 -timeout=20 -verbosity=0 \
            -print_final_stats=1 -dict=tests/fuzz/json.dict -artifact_prefix="$out/$target-" \
            "$out/found/$target" "$corpus/$target" 2> "$out/$target.log" || { cat "$out/$target.log" && exit 1; }
        grep -E 'number_of_executed_units|new_units_added' "$out/$target.log"
    done
}

merge() {
    build fuzzers $sanitize
    for target in $targets; do
        "$out/fuzzers/$target" -set_cover_merge=1 -use_counters=0 -max_len=1024 -artifact_prefix="$out/$target-" \
            "$corpus/$target" "$out/found/$target"
    done
}

coverage() {
    build coverage -O1 -fprofile-instr-generate -fcoverage-mapping
    objects=
    for target in decoder numbers encoder; do
        LLVM_PROFILE_FILE=$out/$target.profraw "$out/coverage/$target" -runs=0 "$corpus/$target" \
            2> "$out/$target.log" || { cat "$out/$target.log" && exit 1; }
        objects="$objects -object $out/coverage/$target"
    done
    "$("$clang" -print-prog-name=llvm-profdata)" merge $out/*.profraw -o $out/all.profdata
    "$("$clang" -print-prog-name=llvm-cov)" "${COVERAGE:-report}" "$out/coverage/decoder" $objects \
        -instr-profile=$out/all.profdata -show-branch-summary=false -show-region-summary=false \
        $(ls ext/*/*.h ext/*/*.cpp | grep -v simdjson)
}

$command
