/* Conformance cases of gm_density_annealing_run: states, weights and best states within rounding.
 */
#include "host/cli/density_annealing_case.h"

/* Two dozen steps of a random walk, and a dozen weights, of a dozen operations each on numbers
 * below 16: of 66 chains none decides a step by less than their rounding. */
static gm_status compare(gm_context *reference, gm_context *subject, gm_dtype dtype, bool moves,
                         gm_case_result *result) {
    path_chains a = {0}, b = {0};
    gm_status status = path_open(reference, dtype, moves, 66, &a);
    status = status == GM_STATUS_OK ? path_open(subject, dtype, moves, 66, &b) : status;
    status = status == GM_STATUS_OK ? path_run(&a) : status;
    status = status == GM_STATUS_OK ? path_run(&b) : status;
    result->bound = (dtype == GM_F64 ? 0x1p-53 : 0x1p-24) * 256;
    if (status == GM_STATUS_OK) {
        status = path_compare(reference, &a, subject, &b, result);
    }
    path_close(reference, &a);
    path_close(subject, &b);
    return status;
}

#define CASES(X)                                                                                   \
    X(path64, "path/f64", GM_F64, true)                                                            \
    X(path32, "path/f32", GM_F32, true)                                                            \
    X(power64, "power/f64", GM_F64, false)

#define DEFINE(name, text, dtype, moves)                                                           \
    static gm_status run_##name(gm_context *reference, gm_context *subject,                        \
                                gm_case_result *result) {                                          \
        return compare(reference, subject, dtype, moves, result);                                  \
    }
CASES(DEFINE)

#define ENTRY(name, text, dtype, moves) {"density_annealing_run/" text, run_##name},
const gm_case gm_density_annealing_cases[] = {CASES(ENTRY)};
const int gm_density_annealing_cases_count =
    sizeof gm_density_annealing_cases / sizeof gm_density_annealing_cases[0];
