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
