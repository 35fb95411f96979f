// Reading a document's numbers as _decoder.pyx does, each compared with what it must be.
#pragma once

#include "tensors/shape.h"

namespace fuzz {

using torch_serving::Document;
using torch_serving::Element;
using torch_serving::LocatedError;

// Read all scalars below a node into memory of just their size, and each once more by itself, as
// the elements of a run can be values of their own.
LocatedError read_scalars(Document* document, torch_serving::NodeId id, Element element,
                          size_t count);

}  // namespace fuzz
