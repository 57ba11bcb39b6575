"""CuPy: RK4 as the kernel a CUDA user writes first, and its normals."""
import cupy

import common

options = common.arguments(__doc__)
STEPS = 1000
SOURCE = """
extern "C" __global__ void rk4(const real *rho, real *end, long long n) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    const real r = rho[i], h = (real)1 / STEPS;
    real y[3] = {1, 0, 0};
    for (int step = 0; step < STEPS; ++step) {
        real k[3], sum[3] = {0, 0, 0}, at[3] = {y[0], y[1], y[2]};
        for (int stage = 0; stage < 4; ++stage) {
            k[0] = 10 * (at[1] - at[0]);
            k[1] = at[0] * (r - at[2]) - at[1];
            k[2] = at[0] * at[1] - (real)(8.0 / 3) * at[2];
            for (int c = 0; c < 3; ++c) {
                sum[c] += stage == 0 || stage == 3 ? k[c] : 2 * k[c];
                at[c] = y[c] + (stage < 2 ? h / 2 : h) * k[c];
            }
        }
        for (int c = 0; c < 3; ++c) y[c] += h / 6 * sum[c];
    }
    for (int c = 0; c < 3; ++c) end[c * n + i] = y[c];
}
"""


def rk4(dtype, name, n=1 << 23):
    kernel = cupy.RawKernel(SOURCE.replace("STEPS", str(STEPS)).replace("real", name), "rk4")
    rho, end = cupy.asarray(common.rho(n), dtype=dtype), cupy.empty((3, n), dtype)

    def run():
        kernel(((n + 127) // 128,), (128,), (rho, end, cupy.int64(n)))
        cupy.cuda.Device().synchronize()
        return end

    seconds, end = common.least_time(run, 5)
    common.report_rate("CuPy RawKernel", cupy.__version__, "rk4_lorenz",
                       "f64" if name == "double" else "f32", n, seconds, n * STEPS, "steps/s",
                       error=common.median_error(end[:, :common.SAMPLES].get(), options.reference))


def normals(dtype, name, n=1 << 28):
    generator = cupy.random.Generator(cupy.random.Philox4x3210(1))

    def run():
        generator.standard_normal(n, dtype=dtype)
        cupy.cuda.Device().synchronize()

    seconds, _ = common.least_time(run, 5)
    common.report_rate("CuPy Philox4x3210", cupy.__version__, "fill_normal", name, n, seconds, n, "normals/s")


rk4(cupy.float32, "float")
rk4(cupy.float64, "double")
normals(cupy.float32, "f32")
normals(cupy.float64, "f64")
