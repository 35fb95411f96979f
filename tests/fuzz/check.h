// MUST(condition): what has to hold while a target runs; libFuzzer keeps the input if it does not.
#pragma once

#include <cstdio>
#include <cstdlib>

#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                \
        }                                                                                \
    } while (false)
