/* Numbers of every dtype to float and double, and back. */
#ifndef PADDLE_MARGIN_CONVERT_H
#define PADDLE_MARGIN_CONVERT_H

#include "kernel.h"

/* Called for a block at a time, so that nothing is gained by repeating it at each call. */
#ifdef __GNUC__
#define LARGE __attribute__((noinline, unused))
#else
#define LARGE
#endif

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
#define LOOP(TYPE, FROM)                                \
    do {                                                \
        const TYPE *values = (const TYPE *)from + begin; \
        for (int64_t i = 0; i < n; i++)                 \
            to[i] = (double)FROM(values[i]);            \
    } while (0)

/* n numbers from the begin-th on: in place where they are double, otherwise in `to`. */
static LARGE const double *load(const void *from, int64_t dtype, int64_t begin, int64_t n,
                                        double *to)
{
    switch (dtype) {
    case FLOAT64: return (const double *)from + begin;
    case FLOAT16: LOOP(uint16_t, float_of_float16); break;
    case BFLOAT16: LOOP(uint16_t, float_of_bfloat16); break;
    case FLOAT32: LOOP(float, SAME); break;
    case BOOL:
    case UINT8: LOOP(uint8_t, SAME); break;
    case INT8: LOOP(int8_t, SAME); break;
    case INT16: LOOP(int16_t, SAME); break;
    case INT32: LOOP(int32_t, SAME); break;
    case INT64: LOOP(int64_t, SAME); break;
    }
    return to;
}

/* Labels as 1, -1 and 0 for every other, compared in a type that holds them exactly. */
#define SIGN(value) (((value) == 1) - ((value) == -1))
static LARGE const double *load_signs(const void *from, int64_t dtype, int64_t begin,
                                              int64_t n, double *to)
{
    if (dtype != INT64)
        return load(from, dtype, begin, n, to);
    LOOP(int64_t, SIGN);
    return to;
}

/* Where to compute n numbers that store() writes from the begin-th on: in place if it can
 * be. */
static inline double *place(void *to, int64_t dtype, int64_t begin, double *buffer)
{
    return dtype == FLOAT64 ? (double *)to + begin : buffer;
}

static LARGE void store(const double *values, void *to, int64_t dtype, int64_t begin,
                                int64_t n)
{
    switch (dtype) {
    case FLOAT64:
        if ((double *)to + begin != values)
            memcpy((double *)to + begin, values, (size_t)n * sizeof *values);
        break;
    case FLOAT16:
        /* What rounds to 0 is not -0, as in _sums.rounded_result. */
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)to)[begin + i] =
                float16_of_float((float)(fabs(values[i]) < 0x1p-26 ? 0 : values[i]));
        break;
    case BFLOAT16:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)to)[begin + i] = bfloat16_of_float((float)values[i]);
        break;
    case FLOAT32:
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[begin + i] = (float)values[i];
        break;
    }
}

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
        gradient = *load(call->upstream, call->dtype, 0, 1, &buffer);
    return call->reduction == MEAN ? gradient / (double)losses : gradient;
}

#endif
