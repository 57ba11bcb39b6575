// The part of seeded_bugs.cpp about bulk copies and products of a warpgroup: one kernel with a ring
// of two slots, and what can be left out of it. Its helpers are those of seeded_bugs.cpp.
#ifndef GENMATH_EMU_SEEDED_PRODUCTS_H
#define GENMATH_EMU_SEEDED_PRODUCTS_H

namespace {

enum class hopper_bug {
    none,
    missing_full_wait,
    wrong_phase,
    missing_empty_wait,
    early_release,
    short_expect,
    missing_init_fence,
    missing_wgmma_fence,
    missing_commit,
    missing_wgmma_wait,
    wrong_stride,
    divergent_operand,
    product_at_exit
};

constexpr unsigned product_slots = 2, product_steps = 4, product_depth = 64;
constexpr unsigned product_columns = 256;

struct product_shared {
    struct slot {
        unsigned char a[64 * 128], b[product_columns * 128];
    };
    alignas(16) unsigned char slots[product_slots * sizeof(slot) + 1008];
    gm_mbarrier full[product_slots], empty[product_slots];
};

struct product_maps {
    CUtensorMap a, b;
};

// Thread 128 copies, warpgroup 0 multiplies: 64 x 256 sums over 4 x 64 values of k.
template <hopper_bug bug>
__device__ void copy_operands(const product_maps &maps, product_shared &shared,
                              product_shared::slot *slots) {
    for (unsigned step = 0; step < product_steps; ++step) {
        const unsigned slot = step % product_slots, round = step / product_slots;
        const int at[5] = {static_cast<int>(step * product_depth), 0, 0, 0, 0};
        if (bug != hopper_bug::missing_empty_wait) {
            gm_mbarrier_wait(shared.empty[slot], ~round & 1u);
        }
        gm_mbarrier_arrive_expect(
            shared.full[slot], bug == hopper_bug::short_expect ? sizeof slots->b : sizeof *slots);
        gm_bulk_tensor_load(slots[slot].a, maps.a, at, shared.full[slot]);
        gm_bulk_tensor_load(slots[slot].b, maps.b, at, shared.full[slot]);
    }
}

template <hopper_bug bug>
__device__ void multiply_slot(const product_shared::slot &slot, float (&sums)[128]) {
    if (bug != hopper_bug::missing_wgmma_fence) {
        gm_wgmma_fence();
    }
    for (unsigned k = 0; k < product_depth; k += 16) {
        const bool strays = bug == hopper_bug::divergent_operand && threadIdx.x == 77;
        gm_wgmma_m64n256k16_bf16<false, false>(
            sums, gm_wgmma_operand(slot.a + 2 * k + (strays ? 32 : 0), 16, 1024),
            gm_wgmma_operand(slot.b + 2 * k, 16, bug == hopper_bug::wrong_stride ? 2048 : 1024));
    }
    if (bug != hopper_bug::missing_commit) {
        gm_wgmma_commit();
    }
}

template <hopper_bug bug>
__device__ void multiply_operands(product_shared &shared, const product_shared::slot *slots,
                                  float *out) {
    float sums[128] = {};
    for (unsigned step = 0; step < product_steps; ++step) {
        const unsigned slot = step % product_slots, round = step / product_slots;
        if (bug != hopper_bug::missing_full_wait) {
            gm_mbarrier_wait(shared.full[slot],
                             (bug == hopper_bug::wrong_phase ? ~round : round) & 1u);
        }
        multiply_slot<bug>(slots[slot], sums);
        if (bug != hopper_bug::missing_wgmma_wait && bug != hopper_bug::early_release &&
            (bug != hopper_bug::product_at_exit || step + 1 < product_steps)) {
            gm_wgmma_wait<0>();
        }
        if (threadIdx.x % 32 == 0) {
            gm_mbarrier_arrive(shared.empty[slot]);
        }
        if (bug == hopper_bug::early_release) {
            gm_wgmma_wait<0>();
        }
    }
    for (unsigned v = 0; v < 128; ++v) {
        out[v * 128 + threadIdx.x] = sums[v];
    }
}

template <hopper_bug bug>
__global__ void product(const __grid_constant__ product_maps maps, float *out) {
    GM_SHARED(product_shared, shared);
    if (threadIdx.x == 0) {
        for (unsigned slot = 0; slot < product_slots; ++slot) {
            gm_mbarrier_init(shared.full[slot], 1);
            gm_mbarrier_init(shared.empty[slot], 4);
        }
        if (bug != hopper_bug::missing_init_fence) {
            gm_mbarrier_fence_init();
        }
    }
    __syncthreads();
    unsigned char *start = shared.slots + (1024 - gm_shared_address(shared.slots) % 1024) % 1024;
    product_shared::slot *slots = reinterpret_cast<product_shared::slot *>(start);
    if (threadIdx.x < 128) {
        multiply_operands<bug>(shared, slots, out);
    } else if (threadIdx.x == 128) {
        copy_operands<bug>(maps, shared, slots);
    }
}

// Ones times 1, 2, 3 and 4, a number for each step.
template <hopper_bug bug> std::string run_product() {
    const size_t depth = product_depth * product_steps;
    std::vector<__nv_bfloat16> a(64 * depth), b(product_columns * depth);
    for (size_t i = 0; i < a.size(); ++i) {
        a[i] = __float2bfloat16(static_cast<float>(1 + i % depth / product_depth));
    }
    for (__nv_bfloat16 &value : b) {
        value = __float2bfloat16(1.0f);
    }
    const CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    const product_maps maps = {
        encode_map(upload(a), type, depth, 64, 64),
        encode_map(upload(b), type, depth, product_columns, product_columns)};
    float *out = blank(64 * product_columns);
    cudaFuncSetAttribute(product<bug>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         sizeof(product_shared));
    GM_LAUNCH(product<bug>, 1, 160, sizeof(product_shared), nullptr, maps, out);
    return compare(out, 64 * product_columns, [](size_t) { return 640; });
}

#define SEEDED_PRODUCT(name)                                                                       \
    template <bool bug> std::string run_##name() {                                                 \
        return run_product < bug ? hopper_bug::name : hopper_bug::none > ();                       \
    }
SEEDED_PRODUCT(missing_full_wait)
SEEDED_PRODUCT(wrong_phase)
SEEDED_PRODUCT(missing_empty_wait)
SEEDED_PRODUCT(early_release)
SEEDED_PRODUCT(short_expect)
SEEDED_PRODUCT(missing_init_fence)
SEEDED_PRODUCT(missing_wgmma_fence)
SEEDED_PRODUCT(missing_commit)
SEEDED_PRODUCT(missing_wgmma_wait)
SEEDED_PRODUCT(wrong_stride)
SEEDED_PRODUCT(divergent_operand)
SEEDED_PRODUCT(product_at_exit)

} // namespace

#endif
