/* The text of the program that NVRTC compiles for a user's sampler. */
#pragma once

#include <genmath/gibbs.h>

#include "kernels/jit_source.h"

namespace gm {

inline std::string jit_gibbs_program(const gm_gibbs &gibbs, bool is_double) {
    const struct {
        const char *name;
        int value;
    } sizes[] = {{"dim", gibbs.dim},
                 {"params", gibbs.params},
                 {"blocks", gibbs.blocks},
                 {"normals", gibbs.normals},
                 {"uniforms", gibbs.uniforms}};
    std::string text = "#include \"kernels/gibbs_chain.cuh\"\nstruct user_gibbs {\n";
    for (const auto &size : sizes) {
        text += std::string("    static constexpr int max_") + size.name + " = " +
                std::to_string(size.value) + ";\n" +
                constant_function("int", size.name, size.value);
    }
    return text +
           "    template <typename real>\n"
           "    __device__ __forceinline__ static void update(int block, const real *y, "
           "const real *p, const real *z, const real *u, real *next) {\n#line 1 \"update\"\n" +
           cast_literals(gibbs.source) +
           "\n    }\n};\nextern \"C\" __global__ void __launch_bounds__(gm::ENSEMBLE_BLOCK)\n"
           "gm_user_kernel(const gm::gibbs_params<" +
           (is_double ? "double" : "float") + "> a) {\n    gm::gibbs_chain(user_gibbs(), a);\n}\n";
}

} // namespace gm
