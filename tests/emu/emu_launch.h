// Kernel launches: captures the arguments by value and hands the launch to the scheduler.
#ifndef GENMATH_EMU_LAUNCH_H
#define GENMATH_EMU_LAUNCH_H

#include <memory>
#include <tuple>
#include <type_traits>

#include "emu_api.h"
#include "emu_thread.h"

namespace emu {

// A kernel with its arguments. run_thread is called once for each CUDA thread, on its fiber.
class kernel_call {
  public:
    virtual ~kernel_call() = default;
    virtual void run_thread() = 0;
};

template <class... Parameters> class bound_kernel : public kernel_call {
  public:
    bound_kernel(void (*function)(Parameters...), const Parameters &...arguments)
        : function_(function), arguments_(arguments...) {
    }
    void run_thread() override {
        std::apply(function_, arguments_);
    }

  private:
    void (*function_)(Parameters...);
    std::tuple<Parameters...> arguments_;
};

struct launch_config {
    const char *kernel;
    const void *function;
    dim3 grid;
    dim3 block;
    size_t shared_bytes;
    cudaStream_t stream;
    site at;
};

// Checks the configuration as the driver does and queues the launch.
void launch(const launch_config &config, std::unique_ptr<kernel_call> call);

// The object between GM_LAUNCH's kernel and its arguments: launcher(...)(arguments).
template <class... Parameters> class launcher {
  public:
    launcher(const launch_config &config, void (*function)(Parameters...))
        : config_(config), function_(function) {
    }
    void operator()(Parameters... arguments) const {
        static_assert((std::is_trivially_copyable<Parameters>::value && ...),
                      "kernel arguments are copied bitwise to the device");
        static_assert((sizeof(Parameters) + ... + 0) <= 32764,
                      "kernel arguments are limited to 32764 bytes");
        launch(config_, std::make_unique<bound_kernel<Parameters...>>(function_, arguments...));
    }

  private:
    launch_config config_;
    void (*function_)(Parameters...);
};

template <class... Parameters>
launcher<Parameters...> bind_kernel(const char *name, void (*kernel)(Parameters...), dim3 grid,
                                    dim3 block, size_t shared_bytes, cudaStream_t stream,
                                    site at = here()) {
    static_assert((!std::is_reference<Parameters>::value && ...),
                  "a kernel takes its arguments by value");
    return {{name, reinterpret_cast<const void *>(kernel), grid, block, shared_bytes, stream, at},
            kernel};
}

} // namespace emu

#endif
