/*
 * Groups of contractions: which kernel each kind takes. contract_group.cuh has the formula, the
 * parallelisation and the ladder. Nothing here asks how many problems there are, so a problem has
 * the same bits whatever is around it.
 */
#include "kernels/contract_group_launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace contract {
namespace {

bool fits_small(const gm_contraction &c) {
    return c.operands == 2 && c.m <= SMALL_EXTENT && c.n <= SMALL_EXTENT && c.k <= SMALL_EXTENT;
}

bool in_halves(const gm_contraction &c) {
    return c.input == GM_F16 || c.input == GM_BF16;
}

group_launches launches_of(const gm_contraction &c) {
    return in_halves(c) ? group_tensor_launches(c) : group_simt_launches(c);
}

struct row {
    const char *name;
    bool (*can_run)(const gm_contraction &contraction);
};

/* By group_row. f32 by TF32 is done in full single precision, f64 without tensor cores. */
const row rows[] = {
    {"small", fits_small},
    {"simt", [](const gm_contraction &c) { return !in_halves(c); }},
    {"tensor", in_halves},
};
constexpr int32_t row_count = static_cast<int32_t>(sizeof rows / sizeof rows[0]);

/* The first row that can, or the one that is named; -1: none. */
int32_t find_row(const gm_contraction &c, const char *name) {
    for (int32_t i = 0; i < row_count; ++i) {
        if ((name == nullptr || strcmp(name, rows[i].name) == 0) && rows[i].can_run(c)) {
            return i;
        }
    }
    return -1;
}

} // namespace
} // namespace contract

gm_status contract_group_choose(gm_call *call, gm_group_args *args, const char *kernel) {
    args->units = args->workspace_bytes = args->staging_bytes = 0;
    if (args->kinds == 0) {
        return GM_STATUS_OK;
    }
    const contract::group_launches launches = contract::launches_of(args->kind[0].contraction);
    for (int64_t i = 0; i < args->kinds; ++i) {
        gm_group_kind &kind = args->kind[i];
        const gm_contraction &c = kind.contraction;
        kind.row = contract::find_row(c, kernel);
        if (kind.row < 0) {
            return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "kernel %s: not for a group of these",
                                kernel);
        }
        const bool small = kind.row == contract::GROUP_SMALL;
        kind.kernel = contract::rows[kind.row].name;
        kind.blocks = small ? c.batch : launches.tiles(c);
        kind.run = small ? contract::small_problems(c) : 1;
        kind.first_unit = args->units;
        args->units += gm_group_units(&kind);
    }
    args->workspace_bytes = args->staging_bytes = launches.bytes(*args);
    return GM_STATUS_OK;
}

gm_status contract_group_bind(gm_call *call, gm_group_args *args) {
    return contract::launches_of(args->kind[0].contraction).bind(call, args);
}

gm_status contract_group_run(gm_call *call, const gm_group_args *args) {
    return contract::launches_of(args->kind[0].contraction).run(call, args);
}

} // namespace gm
