/* Margin ranking loss: max(0, -y (a - b) + margin). */
#ifndef REAL
#define STEM margin_ranking
#define SELF "losses/margin_ranking.c"
#define LOAD_LABEL load
#define IN_DOUBLE has_wide_label
#include "kernel.h"

/* A label may have more digits than float32 scores. */
static int has_wide_label(const Call *call)
{
    int64_t label = call->label_dtype;
    return is_float64(call) || label == FLOAT64 || label == INT32 || label == INT64;
}

#include "elementwise.h"
#else

static inline void NAMED(terms)(const Call *call, const REAL *a, const REAL *b, const REAL *y,
                                int64_t n, REAL *loss, REAL *slope)
{
    REAL margin = (REAL)rounded(call, call->margin);
    for (int64_t i = 0; i < n; i++) {
        REAL z = margin - y[i] * (a[i] - b[i]);
        loss[i] = z < 0 ? 0 : z; /* NaN stays */
    }
    if (!slope)
        return;
    for (int64_t i = 0; i < n; i++) {
        REAL z = margin - y[i] * (a[i] - b[i]);
        slope[i] = z >= 0 ? -y[i] : 0; /* passes at 0, shut for NaN */
    }
}

#endif
