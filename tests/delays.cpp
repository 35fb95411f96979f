// Delays, at random, the calls that order processes and threads. Loaded with LD_PRELOAD, it shows
// what relies on an order that nothing guarantees. DELAY_MS is the longest delay (150 by default).

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>

namespace {

double longest_ms() {
    static const double chosen = [] {
        const char* given = getenv("DELAY_MS");
        return given ? atof(given) : 150.0;
    }();
    return chosen;
}

std::minstd_rand& random_numbers() {
    thread_local std::minstd_rand numbers = [] {
        timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return std::minstd_rand(now.tv_nsec ^ getpid());
    }();
    return numbers;
}

// Sleep in some of 100 calls, for at most this share of the longest delay.
void delay(int percent, double share) {
    const int kept = errno;
    auto& numbers = random_numbers();
    if (static_cast<int>(numbers() % 100) < percent) {
        const auto ns = static_cast<long>(longest_ms() * share * 1e6 * (numbers() % 1000) / 1000);
        const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
        nanosleep(&time, nullptr);
    }
    errno = kept;
}

template <typename Function>
Function* next(Function*, const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

struct Start {
    void* (*run)(void*);
    void* argument;
};

void* run_later(void* given) {
    const Start start = *std::unique_ptr<Start>(static_cast<Start*>(given));
    delay(40, 1);
    return start.run(start.argument);
}

}  // namespace

#define NEXT(name) static auto* const original = next(&::name, #name)

extern "C" {

int bind(int socket, const sockaddr* address, socklen_t size) noexcept {
    NEXT(bind);
    delay(50, 1);
    return original(socket, address, size);
}

int listen(int socket, int backlog) noexcept {
    NEXT(listen);
    delay(60, 2);
    return original(socket, backlog);
}

int connect(int socket, const sockaddr* address, socklen_t size) {
    NEXT(connect);
    delay(30, 1);
    return original(socket, address, size);
}

int accept(int socket, sockaddr* address, socklen_t* size) {
    NEXT(accept);
    const int accepted = original(socket, address, size);
    if (accepted >= 0) delay(40, 1);
    return accepted;
}

int accept4(int socket, sockaddr* address, socklen_t* size, int flags) {
    NEXT(accept4);
    const int accepted = original(socket, address, size, flags);
    if (accepted >= 0) delay(40, 1);
    return accepted;
}

int shutdown(int socket, int how) noexcept {
    NEXT(shutdown);
    delay(30, 0.25);
    return original(socket, how);
}

ssize_t send(int socket, const void* bytes, size_t size, int flags) {
    NEXT(send);
    delay(4, 0.25);
    return original(socket, bytes, size, flags);
}

ssize_t recv(int socket, void* bytes, size_t size, int flags) {
    NEXT(recv);
    const ssize_t received = original(socket, bytes, size, flags);
    delay(4, 0.25);
    return received;
}

ssize_t write(int file, const void* bytes, size_t size) {
    NEXT(write);
    delay(2, 0.25);
    return original(file, bytes, size);
}

ssize_t read(int file, void* bytes, size_t size) {
    NEXT(read);
    const ssize_t got = original(file, bytes, size);
    delay(1, 0.125);
    return got;
}

int close(int file) {
    NEXT(close);
    delay(1, 0.125);
    return original(file);
}

int rename(const char* from, const char* to) noexcept {
    NEXT(rename);
    delay(20, 0.5);
    const int status = original(from, to);
    delay(20, 0.5);
    return status;
}

int unlink(const char* path) noexcept {
    NEXT(unlink);
    delay(10, 0.25);
    return original(path);
}

int kill(pid_t process, int number) noexcept {
    NEXT(kill);
    delay(number ? 50 : 0, 1);
    const int status = original(process, number);
    delay(number ? 30 : 0, 0.5);
    return status;
}

pid_t fork() noexcept {
    NEXT(fork);
    delay(30, 0.5);
    const pid_t process = original();
    if (process == 0)
        random_numbers().seed(getpid());  // else the child would draw what its parent draws
    delay(50, 1);
    return process;
}

int execve(const char* path, char* const* arguments, char* const* environment) noexcept {
    NEXT(execve);
    delay(30, 1);
    return original(path, arguments, environment);
}

pid_t waitpid(pid_t process, int* status, int options) {
    NEXT(waitpid);
    delay(20, 0.5);
    const pid_t ended = original(process, status, options);
    if (ended > 0) delay(30, 0.5);
    return ended;
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) noexcept {
    NEXT(pthread_create);
    auto start = std::make_unique<Start>(Start{run, argument});
    const int problem = original(thread, attributes, run_later, start.get());
    if (!problem) start.release();  // it is the thread's
    delay(15, 0.5);
    return problem;
}
}
