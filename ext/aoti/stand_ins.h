// What libraries of packages find in place of two symbols of the C++ library, whose names
// torch_serving/models/backends/export/package/symbols.py changes in a copy of each library.
//
// `aoti_thread_atexit` stands for `__cxa_thread_atexit`, which has an object of a thread destroyed
// when the thread ends. Each thread that runs a package keeps its last error in such an object,
// whose destructor is in the package's library: until the thread ends, the C library would not
// unload that, and threads of a server never end. So nothing is registered, and a message at most
// is never freed.
//
// `aoti_cerr` stands for `std::cerr`, where a library writes each error that it also returns: a
// client that sends nonsense would write as much of it as it likes, past the server's own lines. It
// writes nothing.
#pragma once

namespace torch_serving {

// Lets libraries that are loaded from now on find them.
void share_stand_ins() noexcept;

}  // namespace torch_serving
