/* vector_types.h - the CUDA vector types (int2, double4, dim3, ..), laid out and aligned as CUDA lays them out. */
#ifndef EMULATION_VECTOR_TYPES_H
#define EMULATION_VECTOR_TYPES_H

#define EMULATION_VECTOR(name, type, align2, align4)                                                               \
    struct name##1                                                                                                 \
    {                                                                                                              \
        type x;                                                                                                    \
    };                                                                                                             \
    struct alignas(align2) name##2                                                                                 \
    {                                                                                                              \
        type x, y;                                                                                                 \
    };                                                                                                             \
    struct name##3                                                                                                 \
    {                                                                                                              \
        type x, y, z;                                                                                              \
    };                                                                                                             \
    struct alignas(align4) name##4                                                                                 \
    {                                                                                                              \
        type x, y, z, w;                                                                                           \
    };                                                                                                             \
    inline name##2 make_##name##2(type x, type y)                                                                  \
    {                                                                                                              \
        return {x, y};                                                                                             \
    }                                                                                                              \
    inline name##3 make_##name##3(type x, type y, type z)                                                          \
    {                                                                                                              \
        return {x, y, z};                                                                                          \
    }                                                                                                              \
    inline name##4 make_##name##4(type x, type y, type z, type w)                                                  \
    {                                                                                                              \
        return {x, y, z, w};                                                                                       \
    }

EMULATION_VECTOR(char, signed char, 2, 4)
EMULATION_VECTOR(uchar, unsigned char, 2, 4)
EMULATION_VECTOR(short, short, 4, 8)
EMULATION_VECTOR(ushort, unsigned short, 4, 8)
EMULATION_VECTOR(int, int, 8, 16)
EMULATION_VECTOR(uint, unsigned int, 8, 16)
EMULATION_VECTOR(long, long, 16, 16)
EMULATION_VECTOR(ulong, unsigned long, 16, 16)
EMULATION_VECTOR(longlong, long long, 16, 16)
EMULATION_VECTOR(ulonglong, unsigned long long, 16, 16)
EMULATION_VECTOR(float, float, 8, 16)
EMULATION_VECTOR(double, double, 16, 16)
#undef EMULATION_VECTOR

/** Sizes of a grid or of a block; what is not given is 1. */
struct dim3 {
    unsigned int x, y, z;

    constexpr dim3(unsigned int x_size = 1, unsigned int y_size = 1, unsigned int z_size = 1)
        : x(x_size), y(y_size), z(z_size)
    {
    }
};

#endif
