// CUDA's built-in vector types with CUDA's alignment, and dim3.
#ifndef GENMATH_EMU_TYPES_H
#define GENMATH_EMU_TYPES_H

// A float4 at an address that is no multiple of 16 is a fault on the device. The alignment
// below makes -fsanitize=alignment report it here.
#define EMU_VECTOR_1(name, scalar)                                                                 \
    struct name##1 {                                                                               \
        scalar x;                                                                                  \
    };                                                                                             \
    inline name##1 make_##name##1(scalar x) {                                                      \
        return {x};                                                                                \
    }
#define EMU_VECTOR_2(name, scalar, alignment)                                                      \
    struct alignas(alignment) name##2 {                                                            \
        scalar x, y;                                                                               \
    };                                                                                             \
    inline name##2 make_##name##2(scalar x, scalar y) {                                            \
        return {x, y};                                                                             \
    }
#define EMU_VECTOR_3(name, scalar)                                                                 \
    struct name##3 {                                                                               \
        scalar x, y, z;                                                                            \
    };                                                                                             \
    inline name##3 make_##name##3(scalar x, scalar y, scalar z) {                                  \
        return {x, y, z};                                                                          \
    }
#define EMU_VECTOR_4(name, scalar, alignment)                                                      \
    struct alignas(alignment) name##4 {                                                            \
        scalar x, y, z, w;                                                                         \
    };                                                                                             \
    inline name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) {                        \
        return {x, y, z, w};                                                                       \
    }
#define EMU_VECTORS(name, scalar, alignment2, alignment4)                                          \
    EMU_VECTOR_1(name, scalar)                                                                     \
    EMU_VECTOR_2(name, scalar, alignment2)                                                         \
    EMU_VECTOR_3(name, scalar)                                                                     \
    EMU_VECTOR_4(name, scalar, alignment4)

EMU_VECTORS(char, signed char, 2, 4)
EMU_VECTORS(uchar, unsigned char, 2, 4)
EMU_VECTORS(short, short, 4, 8)
EMU_VECTORS(ushort, unsigned short, 4, 8)
EMU_VECTORS(int, int, 8, 16)
EMU_VECTORS(uint, unsigned, 8, 16)
EMU_VECTORS(float, float, 8, 16)

// The 32-byte types come in two alignments since CUDA 13; kernels here use pairs instead.
EMU_VECTOR_1(longlong, long long)
EMU_VECTOR_2(longlong, long long, 16)
EMU_VECTOR_1(ulonglong, unsigned long long)
EMU_VECTOR_2(ulonglong, unsigned long long, 16)
EMU_VECTOR_1(double, double)
EMU_VECTOR_2(double, double, 16)

#undef EMU_VECTORS
#undef EMU_VECTOR_1
#undef EMU_VECTOR_2
#undef EMU_VECTOR_3
#undef EMU_VECTOR_4

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1)
        : x(width), y(height), z(depth) {
    }
    constexpr dim3(uint3 size) : x(size.x), y(size.y), z(size.z) {
    }
    constexpr operator uint3() const {
        return uint3{x, y, z};
    }
};

#endif
