#include "aoti/stand_ins.h"

#include <dlfcn.h>

#include <ostream>

#define SHARED extern "C" __attribute__((visibility("default")))

SHARED int aoti_thread_atexit(void (*)(void*), void*, void*) { return 0; }

SHARED std::ostream aoti_cerr;
std::ostream aoti_cerr(nullptr);

namespace torch_serving {

void share_stand_ins() noexcept {
    static const bool are_shared = [] {
        Dl_info info;
        return dladdr(reinterpret_cast<void*>(&aoti_thread_atexit), &info) &&
               dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL);
    }();
    (void)are_shared;
}

}  // namespace torch_serving
