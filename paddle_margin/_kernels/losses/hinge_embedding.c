/* Hinge embedding loss: x where y is 1, max(0, margin - x) where it is -1, both otherwise. */
#include "convert.h"

#define STEM hinge_embedding
#define LOAD_LABEL load_signs

static inline void terms(const Call *call, const double *x, const double *other, const double *y,
                         int64_t n, double *loss, double *slope)
{
    double margin = rounded(call, call->margin);
    (void)other;
    for (int64_t i = 0; i < n; i++) {
        double z = margin - x[i];
        double hinge = z < 0 ? 0 : z; /* NaN stays */
        loss[i] = y[i] == 1 ? x[i] : y[i] == -1 ? hinge : x[i] + hinge;
    }
    if (!slope)
        return;
    for (int64_t i = 0; i < n; i++) {
        double falling = margin - x[i] >= 0 ? -1 : 0; /* passes at 0, shut for NaN */
        slope[i] = y[i] == 1 ? 1 : y[i] == -1 ? falling : 1 + falling;
    }
}

#include "elementwise.h"
