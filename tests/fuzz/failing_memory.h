// operator new and realloc that fail on demand.
#pragma once

namespace fuzz {

// How many calls of operator new are left before all fail, realloc too; none fails below zero.
extern long allocations_left;

}  // namespace fuzz
