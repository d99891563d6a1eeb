/* Margin ranking loss: max(0, -y (a - b) + margin). */
#include "convert.h"

#define STEM margin_ranking
#define LOAD_LABEL load

static inline void terms(const Call *call, const double *a, const double *b, const double *y,
                         int64_t n, double *loss, double *slope)
{
    double margin = rounded(call, call->margin);
    for (int64_t i = 0; i < n; i++) {
        double z = margin - y[i] * (a[i] - b[i]);
        loss[i] = z < 0 ? 0 : z; /* NaN stays */
    }
    if (!slope)
        return;
    for (int64_t i = 0; i < n; i++) {
        double z = margin - y[i] * (a[i] - b[i]);
        slope[i] = z >= 0 ? -y[i] : 0; /* passes at 0, shut for NaN */
    }
}

#include "elementwise.h"
