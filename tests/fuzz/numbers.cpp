// The text of an array's elements -> numbers of every element type, wherever the array stands: near
// the ends of a body numbers are read in another way than elsewhere.
#include <memory>
#include <string>

#include "expected.h"
#include "reading.h"
#include "tensors/elements.h"

using namespace torch_serving;

namespace {

Document document;

void read_body(const std::string& spaces, std::string_view elements) {
    std::string text = spaces + "[" + std::string(elements) + "]" + spaces;
    const auto body = std::make_unique<char[]>(text.size());  // without the zero behind a string
    text.copy(body.get(), text.size());
    if (document.parse(body.get(), text.size()) != Error::none) return;
    if (document.node(0).kind != Kind::run) return;
    for (int element = 0; element < fuzz::ELEMENTS; ++element) {
        fuzz::read_scalars(&document, 0, static_cast<Element>(element), document.node(0).count);
    }
    document.release();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view elements(reinterpret_cast<const char*>(data), size);
    read_body("", elements);
    read_body(std::string(24, ' '), elements);
    return 0;
}
