/*
 * Host side of groups: a group's kinds and problems as the descriptors that the kernel reads, and
 * the launch. Descriptors in the order of the workspace: first units, kinds, modes, members.
 */
#pragma once

#include "host/contract_group_args.h"

#include "kernels/contract_group.cuh"
#include "kernels/contract_launch.cuh"

namespace gm {
namespace contract {

enum group_row : int32_t { GROUP_SMALL, GROUP_SIMT, GROUP_TENSOR };

/* What a type of operand needs. */
struct group_launches {
    gm_status (*bind)(gm_call *call, gm_group_args *args);
    gm_status (*run)(gm_call *call, const gm_group_args *args);
    int64_t (*tiles)(const gm_contraction &contraction); /* of a problem */
    int64_t (*bytes)(const gm_group_args &args);         /* of the descriptors */
};
group_launches group_simt_launches(const gm_contraction &contraction);
group_launches group_tensor_launches(const gm_contraction &contraction); /* f16, bf16 */

struct group_offsets { /* bytes from the start of the workspace */
    int64_t kinds, modes, members, end;
};

inline int64_t modes_of(const gm_contraction &c) {
    return c.batches + c.ms + c.ns + c.ks;
}

inline int64_t to_line(int64_t bytes) {
    return ceiling(bytes, 64) * 64;
}

template <class value> group_offsets group_layout(const gm_group_args &args) {
    int64_t modes = 0;
    for (int64_t i = 0; i < args.kinds; ++i) {
        modes += modes_of(args.kind[i].contraction);
    }
    group_offsets at;
    at.kinds = to_line(args.kinds * static_cast<int64_t>(sizeof(int64_t)));
    at.modes = at.kinds + to_line(args.kinds * static_cast<int64_t>(sizeof(group_kind)));
    at.members = at.modes + to_line(modes * static_cast<int64_t>(sizeof(gm_mode)));
    at.end =
        at.members + to_line(args.problems * static_cast<int64_t>(sizeof(group_member<value>)));
    return at;
}

/* The descriptors at `base`, in host memory or in the workspace. */
template <class value> group_job<value> group_at(const gm_group_args &args, const void *base) {
    const group_offsets at = group_layout<value>(args);
    const unsigned char *bytes = static_cast<const unsigned char *>(base);
    group_job<value> group;
    group.first_unit = static_cast<const int64_t *>(base);
    group.kinds = reinterpret_cast<const group_kind *>(bytes + at.kinds);
    group.modes = reinterpret_cast<const gm_mode *>(bytes + at.modes);
    group.members = reinterpret_cast<const group_member<value> *>(bytes + at.members);
    group.count = args.kinds;
    group.units = args.units;
    return group;
}

/* A small kind needs no tiles, and nothing else differs. */
inline bool all_small(const gm_group_args &args) {
    for (int64_t i = 0; i < args.kinds; ++i) {
        if (args.kind[i].row != GROUP_SMALL) {
            return false;
        }
    }
    return true;
}

template <class policy> struct group_kernels {
    typedef typename policy::arith arith;
    typedef typename arith::value value;

    /* As tiles see it: n is innermost in d. That is so but for empty sums, which have no operands
     * that would change places. */
    static gm_contraction turned(const gm_group_kind &kind) {
        const gm_contraction &c = kind.contraction;
        return kind.row != GROUP_SMALL && is_upright(c) ? exchanged(c) : c;
    }

    static int64_t bytes(const gm_group_args &args) {
        return group_layout<value>(args).end;
    }

    static int64_t tiles(const gm_contraction &given) {
        const gm_contraction c = is_upright(given) ? exchanged(given) : given;
        return ceiling(c.m, policy::ROWS) * ceiling(c.n, policy::COLS) * c.batch;
    }

    static void fill_kind(const gm_group_kind &from, const gm_contraction &c, group_kind &to) {
        to.batch = c.batch;
        to.m = c.m;
        to.n = c.n;
        to.k = c.k;
        to.batches = c.batches;
        to.ms = c.ms;
        to.ns = c.ns;
        to.ks = c.ks;
        to.first_member = from.first;
        to.blocks = from.blocks;
        to.all = from.blocks * from.count;
        to.run = static_cast<int32_t>(from.run);
        to.small = from.row == GROUP_SMALL;
        if (to.small) {
            small_orders(c, &to.order_a, &to.order_b, &to.order_d);
        }
    }

    static void fill_member(const gm_group_problem &from, const way_out<value> &same,
                            group_member<value> &to) {
        static_cast<way_out<value> &>(to) = same;
        to.a = from.arrays.a;
        to.b = from.arrays.b;
        to.c = from.arrays.c;
        to.bias = from.arrays.bias;
        to.d = from.arrays.d;
        to.has_c = from.arrays.c != nullptr;
        to.first = from.first;
        set_scale(to.alpha, from.arrays.scale.alpha, from.arrays.scale.alpha_imaginary);
        set_scale(to.beta, from.arrays.scale.beta, from.arrays.scale.beta_imaginary);
    }

    /* How a member's tiles come: it depends on its addresses. */
    static void fill_loading(const gm_contraction &c, group_member<value> &to) {
        constexpr int64_t bytes = sizeof(typename arith::element);
        to.load_a = loading_of<&gm_mode::a>(c, c.batches, c.ms, to.a, bytes, policy::ANY_LAYOUT);
        to.load_b =
            loading_of<&gm_mode::b>(c, c.batches + c.ms, c.ns, to.b, bytes, policy::ANY_LAYOUT);
    }

    /*
     * A launch has stages of one layout for all its tiles, that of most of them; operands that lie
     * otherwise come an element at a time. Returns 1 for a along k, plus 2 for b.
     */
    static int32_t choose_layout(const gm_group_args &args, group_member<value> *members) {
        double along_a = 0, along_b = 0, all = 0;
        for (int64_t i = 0; i < args.kinds && policy::ANY_LAYOUT; ++i) {
            const gm_group_kind &kind = args.kind[i];
            const double work =
                static_cast<double>(kind.blocks) * static_cast<double>(kind.contraction.k);
            for (int64_t p = 0; p < kind.count && kind.row != GROUP_SMALL; ++p) {
                all += work;
                along_a += members[kind.first + p].load_a.along_k ? work : 0;
                along_b += members[kind.first + p].load_b.along_k ? work : 0;
            }
        }
        const int32_t a = along_a > all / 2, b = along_b > all / 2;
        for (int64_t p = 0; p < args.problems && policy::ANY_LAYOUT; ++p) {
            loading &of_a = members[p].load_a, &of_b = members[p].load_b;
            of_a.vectors = of_a.vectors && of_a.along_k == a;
            of_b.vectors = of_b.vectors && of_b.along_k == b;
        }
        return a + 2 * b;
    }

    static gm_status bind(gm_call *call, gm_group_args *args) {
        const group_offsets at = group_layout<value>(*args);
        unsigned char *bytes = static_cast<unsigned char *>(args->staging);
        int64_t *units = static_cast<int64_t *>(args->staging), next = 0;
        group_kind *kinds = reinterpret_cast<group_kind *>(bytes + at.kinds);
        gm_mode *modes = reinterpret_cast<gm_mode *>(bytes + at.modes);
        group_member<value> *members = reinterpret_cast<group_member<value> *>(bytes + at.members);
        memset(bytes, 0, static_cast<size_t>(at.end));
        for (int64_t i = 0; i < args->kinds; ++i) {
            const gm_group_kind &kind = args->kind[i];
            const gm_contraction c = turned(kind);
            const job<value> same = job_of<value>(c, args->problem[kind.first].arrays);
            units[i] = kind.first_unit;
            fill_kind(kind, c, kinds[i]);
            kinds[i].first_mode = next;
            memcpy(modes + next, c.modes, static_cast<size_t>(modes_of(c)) * sizeof *modes);
            next += modes_of(c);
            for (int64_t p = kind.first; p < kind.first + kind.count; ++p) {
                fill_member(args->problem[p], same, members[p]);
                if (kind.row != GROUP_SMALL) {
                    fill_loading(c, members[p]);
                }
            }
        }
        args->variant = choose_layout(*args, members);
        const gm_status status =
            check_cuda(call,
                       cudaMemcpyAsync(args->workspace, args->staging, static_cast<size_t>(at.end),
                                       cudaMemcpyHostToDevice, stream_of(call)),
                       "cudaMemcpyAsync");
        return status != GM_STATUS_OK ? status
                                      : check_cuda(call, cudaStreamSynchronize(stream_of(call)),
                                                   "the copy of a group or an earlier kernel");
    }

    static int64_t grid_of(int64_t units) {
        return units < GROUP_GRID ? units : GROUP_GRID;
    }

    template <bool AK, bool BK>
    static gm_status run_layout(gm_call *call, const group_job<value> &g) {
        return launch(call, group_tiles<policy, AK, BK>, grid_of(g.units), TILE_THREADS,
                      sizeof(group_block<policy, AK, BK>), g);
    }

    static gm_status run(gm_call *call, const gm_group_args *args) {
        const group_job<value> group = group_at<value>(*args, args->workspace);
        if (all_small(*args)) {
            call->kernel = "group_small";
            return launch(call, group_small<arith>, grid_of(group.units), SMALL_THREADS,
                          sizeof(group_small_block<arith>), group);
        }
        if constexpr (policy::ANY_LAYOUT) {
            call->kernel = "group_tensor";
            return args->variant == 3   ? run_layout<true, true>(call, group)
                   : args->variant == 2 ? run_layout<false, true>(call, group)
                   : args->variant == 1 ? run_layout<true, false>(call, group)
                                        : run_layout<false, false>(call, group);
        } else {
            call->kernel = "group_simt";
            return run_layout<false, false>(call, group);
        }
    }

    static group_launches launches() {
        return {bind, run, tiles, bytes};
    }
};

} // namespace contract
} // namespace gm
