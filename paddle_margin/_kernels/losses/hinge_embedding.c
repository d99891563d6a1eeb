/* Hinge embedding loss: x where y is 1, max(0, margin - x) where it is -1, both otherwise. */
#ifndef REAL
#define STEM hinge_embedding
#define SELF "losses/hinge_embedding.c"
#define LOAD_LABEL load_signs
#define IN_DOUBLE is_float64 /* float otherwise */
#include "elementwise.h"
#else

static inline void NAMED(terms)(const Call *call, const REAL *x, const REAL *other, const REAL *y,
                                int64_t n, REAL *loss, REAL *slope)
{
    REAL margin = (REAL)rounded(call, call->margin);
    (void)other;
    for (int64_t i = 0; i < n; i++) {
        REAL z = margin - x[i];
        REAL hinge = z < 0 ? 0 : z; /* NaN stays */
        loss[i] = y[i] == 1 ? x[i] : y[i] == -1 ? hinge : x[i] + hinge;
    }
    if (!slope)
        return;
    for (int64_t i = 0; i < n; i++) {
        REAL falling = margin - x[i] >= 0 ? -1 : 0; /* passes at 0, shut for NaN */
        slope[i] = y[i] == 1 ? 1 : y[i] == -1 ? falling : 1 + falling;
    }
}

#endif
