/* The text of the program that NVRTC compiles for a user's system. */
#pragma once

#include <string>

#include <genmath/density.h>
#include <genmath/sde.h>

namespace gm {

/* A body with every floating literal that has no suffix cast to `real`: 0.5 -> (real)0.5, so that
 * no double reaches a float kernel. */
inline std::string cast_literals(const char *body) {
    std::string out;
    const auto is_word = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '_';
    };
    for (const char *at = body; *at != '\0';) {
        const bool number =
            (*at >= '0' && *at <= '9') || (*at == '.' && at[1] >= '0' && at[1] <= '9');
        const char *begin = at;
        if (!number) {
            if (!is_word(*at)) {
                out += *at++;
                continue;
            }
            while (is_word(*at)) {
                ++at;
            }
            out.append(begin, at);
            continue;
        }
        const bool hexadecimal = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
        bool floating = false;
        while (is_word(*at) || *at == '.' || ((*at == '+' || *at == '-') && at > begin)) {
            const char before = at > begin ? at[-1] : '\0';
            const bool exponent =
                hexadecimal ? before == 'p' || before == 'P' : before == 'e' || before == 'E';
            if ((*at == '+' || *at == '-') && !exponent) {
                break;
            }
            floating = floating || *at == '.' || exponent;
            ++at;
        }
        const char last = at[-1];
        const bool suffixed =
            !hexadecimal && (last == 'f' || last == 'F' || last == 'l' || last == 'L');
        const bool cast = floating && !suffixed &&
                          !(hexadecimal && (last == 'f' || last == 'F') &&
                            std::string(begin, at).find_first_of("pP") == std::string::npos);
        out += cast ? "(real)" : "";
        out.append(begin, at);
    }
    return out;
}

inline std::string body_function(const char *name, const char *output, const char *body,
                                 const char *first = "real t") {
    return std::string("    template <typename real>\n"
                       "    __device__ __forceinline__ static void ") +
           name + "(" + first + ", const real *y, const real *p, real *" + output +
           ") {\n#line 1 \"" + name + "\"\n" + cast_literals(body) + "\n    }\n";
}

inline std::string constant_function(const char *type, const char *name, int value) {
    return std::string("    __device__ static constexpr ") + type + " " + name + "() { return " +
           std::to_string(value) + "; }\n";
}

/* A whole program: the kernel's header, the system as a type, and the entry gm_user_kernel. */
inline std::string jit_program(const gm_system &system, const gm_sde *sde, bool is_double,
                               bool adaptive) {
    const char *header = sde != nullptr ? "sde_em" : adaptive ? "ode_erk" : "ode_rk4";
    const char *params = sde != nullptr ? "em" : adaptive ? "erk" : "rk4";
    std::string text =
        std::string("#include \"kernels/") + header + ".cuh\"\n" +
        "struct user_system {\n    static constexpr int max_dim = " + std::to_string(system.dim) +
        ", max_params = " + std::to_string(system.params);
    if (sde != nullptr) {
        text += ", max_noises = " + std::to_string(sde->noises);
    }
    text += ";\n" + constant_function("int", "dim", system.dim) +
            constant_function("int", "params", system.params) +
            body_function("rhs", "dydt", system.source);
    if (sde != nullptr) {
        text += constant_function("int", "noises", sde->noises) +
                constant_function("bool", "is_diagonal", sde->diagonal != 0) +
                body_function("diffusion", "g", sde->source);
    }
    return text + "};\nextern \"C\" __global__ void __launch_bounds__(gm::ENSEMBLE_BLOCK)\n" +
           "gm_user_kernel(const gm::" + params + "_params<" + (is_double ? "double" : "float") +
           "> a) {\n    gm::" + params + "_trajectory(user_system(), a);\n}\n";
}

/* What a density over data has besides. */
inline std::string row_functions(const gm_density &density) {
    return density.columns == 0
               ? std::string()
               : constant_function("int", "columns", density.columns) +
                     body_function("row", "logp", density.row_source, "const real *d") +
                     body_function("row_gradient", "grad", density.row_gradient_source,
                                   "const real *d");
}

/* The same over a density: chains, or samples of a proposal. */
inline std::string density_program(const gm_density &density, bool is_double, const char *header,
                                   const char *params, const char *function) {
    return std::string("#include \"kernels/") + header +
           ".cuh\"\nstruct user_density {\n"
           "    static constexpr int max_dim = " +
           std::to_string(density.dim) + ", max_params = " + std::to_string(density.params) +
           ", max_columns = " + std::to_string(density.columns) + ";\n" +
           constant_function("int", "dim", density.dim) +
           constant_function("int", "params", density.params) + row_functions(density) +
           body_function("log_density", "logp", density.source) +
           body_function("gradient", "grad", density.gradient_source) +
           "};\nextern \"C\" __global__ void __launch_bounds__(gm::ENSEMBLE_BLOCK)\n"
           "gm_user_kernel(const gm::" +
           params + "<" + (is_double ? "double" : "float") + "> a) {\n    gm::" + function +
           "(user_density(), a);\n}\n";
}

inline std::string jit_density_program(const gm_density &density, bool is_double) {
    return density_program(density, is_double, "mcmc_chain", "mcmc_params", "mcmc_chain");
}

inline std::string jit_importance_program(const gm_density &density, bool is_double) {
    return density_program(density, is_double, "importance_draw", "importance_params",
                           "importance_sample");
}

} // namespace gm
