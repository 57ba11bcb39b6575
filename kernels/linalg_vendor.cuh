/* Rows for large problems: the factorization by a vendor library, in linalg_vendor.cu. */
#pragma once

#include "kernels/linalg.cuh"

namespace gm {
namespace linalg {

bool vendor_fits(gm_call *call, const gm_linalg_args &args);
size_t vendor_workspace(gm_call *call, const gm_linalg_args &args);
gm_status vendor_row_run(gm_call *call, const gm_linalg_args &args);

constexpr row vendor_row(const char *name) {
    return {name,
            vendor_fits,
            {vendor_workspace, vendor_workspace, vendor_workspace, vendor_workspace},
            {vendor_row_run, vendor_row_run, vendor_row_run, vendor_row_run}};
}

} // namespace linalg
} // namespace gm

/* The rows of an item that a library takes over. */
#define GM_LINALG_FACTOR_ROWS(item, name)                                                          \
    {                                                                                              \
        linalg::lanes_row<item, 4>("linalg_" name "_4"),                                           \
            linalg::lanes_row<item, 8>("linalg_" name "_8"),                                       \
            linalg::lanes_row<item, 16>("linalg_" name "_16"),                                     \
            linalg::lanes_row<item, 32>("linalg_" name "_32"),                                     \
            linalg::vendor_row("linalg_" name "_vendor"),                                          \
            linalg::block_row<item>("linalg_" name "_block"),                                      \
    }
