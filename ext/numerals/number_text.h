// Runs of numbers -> JSON text with a comma behind each number.
//
// Rules of these functions:
// - Numbers go in blocks through three loops (their decimal digits as integers, the digits apart,
//   the text), so that the processor works at many numbers at a time instead of waiting for one.
// - There is no branch that depends on digits, lengths or signs: those are random, and a
// mispredicted
//   branch costs as much as a third of a number. Text is stored in whole words, from tables, and
//   what was too much is overwritten by the next number.
// - So up to `MOST_OVERHANG` bytes are written beyond the end of the text.
#pragma once

#include <cstddef>
#include <cstdint>

namespace torch_serving {

constexpr size_t MOST_OVERHANG = 64;

char* write_booleans(char* out, const void* data, size_t count) noexcept;
template <class Integer>
char* write_integers(char* out, const void* data, size_t count) noexcept;

char* write_float16s(char* out, const void* data, size_t count) noexcept;
char* write_bfloat16s(char* out, const void* data, size_t count) noexcept;
char* write_float32s(char* out, const void* data, size_t count) noexcept;
char* write_float64s(char* out, const void* data, size_t count) noexcept;

}  // namespace torch_serving
