#include "aoti/thread_exits.h"

#include <dlfcn.h>

extern "C" __attribute__((visibility("default"))) int aoti_thread_atexit(void (*)(void*), void*,
                                                                         void*) {
    return 0;
}

namespace torch_serving {

void share_thread_exits() noexcept {
    static const bool is_shared = [] {
        Dl_info info;
        return dladdr(reinterpret_cast<void*>(&aoti_thread_atexit), &info) &&
               dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL);
    }();
    (void)is_shared;
}

}  // namespace torch_serving
