// What libraries of packages call to have an object of a thread destroyed when the thread ends.
//
// Each thread that runs a package keeps its last error in such an object, whose destructor is in
// the package's library: until the thread ends, the C library would not unload that, and threads of
// a server never end. So packages call `aoti_thread_atexit` instead, as
// torch_serving/models/backends/export/symbols.py arranges. It registers nothing, and a message at
// most is never freed.
#pragma once

namespace torch_serving {

// Lets libraries that are loaded from now on find that function.
void share_thread_exits() noexcept;

}  // namespace torch_serving
