/* Numbers of every dtype to float and double, and back. */
#ifndef PADDLE_MARGIN_CONVERT_H
#define PADDLE_MARGIN_CONVERT_H

#include "kernel.h"

static inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of_bfloat16(uint16_t half) { return float_of_bits((uint32_t)half << 16); }

static inline uint16_t bfloat16_of_float(float value)
{
    uint32_t bits = bits_of_float(value);
    uint32_t even = bits + 0x7FFFu + ((bits >> 16) & 1u);
    return (uint16_t)(value == value ? even >> 16 : 0x7FC0u | ((bits >> 16) & 0x8000u));
}

/* Without branches, so that loops become vector instructions. */
static inline float float_of_float16(uint16_t half)
{
    uint32_t sign = ((uint32_t)half & 0x8000u) << 16;
    uint32_t size = (uint32_t)half & 0x7FFFu;
    /* Exponent and mantissa move into place; the product mends the exponent, subnormals too. */
    float finite = float_of_bits(size << 13) * 0x1p112f;
    uint32_t endless = (size << 13) | 0x7F800000u;
    uint32_t bits = size >= 0x7C00u ? endless : bits_of_float(finite);
    return float_of_bits(bits | sign);
}

static inline uint16_t float16_of_float(float value)
{
    uint32_t bits = bits_of_float(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t size = bits & 0x7FFFFFFFu;
    /* Normal: round the mantissa to 10 bits, half to even, and move the exponent. */
    uint32_t normal = (size + 0xFFFu + ((size >> 13) & 1u) - 0x38000000u) >> 13;
    normal = size >= 0x477FF000u ? 0x7C00u : normal;
    /* Subnormal: adding 0.5 leaves multiples of 2**-24, rounded by the addition. */
    uint32_t small = bits_of_float(float_of_bits(size) + 0.5f) - 0x3F000000u;
    uint32_t half = size < 0x38800000u ? small : normal;
    half = size > 0x7F800000u ? 0x7E00u : half;
    return (uint16_t)(half | sign);
}

#define SAME(value) (value)
#define LOOP(REAL, TYPE, FROM)                          \
    do {                                                \
        const TYPE *values = (const TYPE *)from + begin; \
        for (int64_t i = 0; i < n; i++)                 \
            to[i] = (REAL)FROM(values[i]);              \
    } while (0)

/* n numbers from the begin-th on: in place where they have the type, otherwise in `to`. */
#define DEFINE_LOAD(REAL, NATIVE)                                                            \
    static inline const REAL *load_##REAL(const void *from, int64_t dtype, int64_t begin,    \
                                          int64_t n, REAL *to)                               \
    {                                                                                        \
        if (dtype == NATIVE)                                                                 \
            return (const REAL *)from + begin;                                               \
        switch (dtype) {                                                                     \
        case FLOAT16: LOOP(REAL, uint16_t, float_of_float16); break;                         \
        case BFLOAT16: LOOP(REAL, uint16_t, float_of_bfloat16); break;                       \
        case FLOAT32: LOOP(REAL, float, SAME); break;                                        \
        case FLOAT64: LOOP(REAL, double, SAME); break;                                       \
        case BOOL:                                                                           \
        case UINT8: LOOP(REAL, uint8_t, SAME); break;                                        \
        case INT8: LOOP(REAL, int8_t, SAME); break;                                          \
        case INT16: LOOP(REAL, int16_t, SAME); break;                                        \
        case INT32: LOOP(REAL, int32_t, SAME); break;                                        \
        case INT64: LOOP(REAL, int64_t, SAME); break;                                        \
        }                                                                                    \
        return to;                                                                           \
    }
DEFINE_LOAD(float, FLOAT32)
DEFINE_LOAD(double, FLOAT64)

/* Labels as 1, -1 and 0 for every other, compared in a type that holds them exactly. */
#define SIGN(value) (((value) == 1) - ((value) == -1))
#define DEFINE_LOAD_SIGNS(REAL)                                                                 \
    static inline const REAL *load_signs_##REAL(const void *from, int64_t dtype, int64_t begin, \
                                                int64_t n, REAL *to)                            \
    {                                                                                           \
        switch (dtype) {                                                                        \
        case FLOAT64: LOOP(REAL, double, SIGN); break;                                          \
        case INT32: LOOP(REAL, int32_t, SIGN); break;                                           \
        case INT64: LOOP(REAL, int64_t, SIGN); break;                                           \
        default: return load_##REAL(from, dtype, begin, n, to);                                 \
        }                                                                                       \
        return to;                                                                              \
    }
DEFINE_LOAD_SIGNS(float)
DEFINE_LOAD_SIGNS(double)

/* Where to compute n numbers that store() writes from the begin-th on: in place if it can be. */
#define DEFINE_STORE(REAL, NATIVE)                                                           \
    static inline REAL *place_##REAL(void *to, int64_t dtype, int64_t begin, REAL *buffer)   \
    {                                                                                        \
        return dtype == NATIVE ? (REAL *)to + begin : buffer;                                \
    }                                                                                        \
    static inline void store_##REAL(const REAL *values, void *to, int64_t dtype,             \
                                    int64_t begin, int64_t n)                                \
    {                                                                                        \
        if (dtype == NATIVE) {                                                               \
            if ((REAL *)to + begin != values)                                                \
                memcpy((REAL *)to + begin, values, (size_t)n * sizeof *values);              \
            return;                                                                          \
        }                                                                                    \
        switch (dtype) {                                                                     \
        case FLOAT16:                                                                        \
            for (int64_t i = 0; i < n; i++)                                                  \
                ((uint16_t *)to)[begin + i] = float16_of_float((float)values[i]);            \
            break;                                                                           \
        case BFLOAT16:                                                                       \
            for (int64_t i = 0; i < n; i++)                                                  \
                ((uint16_t *)to)[begin + i] = bfloat16_of_float((float)values[i]);           \
            break;                                                                           \
        case FLOAT32:                                                                        \
            for (int64_t i = 0; i < n; i++)                                                  \
                ((float *)to)[begin + i] = (float)values[i];                                 \
            break;                                                                           \
        }                                                                                    \
    }
DEFINE_STORE(float, FLOAT32)
DEFINE_STORE(double, FLOAT64)

/* A class index. */
static inline int64_t class_at(const Call *call, int64_t index)
{
    switch (call->label_dtype) {
    case UINT8: return ((const uint8_t *)call->label)[index];
    case INT8: return ((const int8_t *)call->label)[index];
    case INT16: return ((const int16_t *)call->label)[index];
    case INT32: return ((const int32_t *)call->label)[index];
    default: return ((const int64_t *)call->label)[index];
    }
}

/* The gradient of the sum over all losses, of a call that reduces. */
static inline double upstream_number(const Call *call, int64_t losses)
{
    double buffer, gradient = 1;
    if (call->upstream)
        gradient = *load_double(call->upstream, call->dtype, 0, 1, &buffer);
    return call->reduction == MEAN ? gradient / (double)losses : gradient;
}

#endif
