/* Triplet margin loss of two distances: max(0, near - far + margin). */
#include "convert.h"

#define STEM triplet_margin_with_distance
#define LOAD_LABEL load

static inline void terms(const Call *call, const double *near, const double *far,
                         const double *none, int64_t n, double *loss, double *slope)
{
    double margin = rounded(call, call->margin);
    (void)none;
    for (int64_t i = 0; i < n; i++) {
        double z = (near[i] - far[i]) + margin;
        loss[i] = z < 0 ? 0 : z; /* NaN stays */
    }
    if (!slope)
        return;
    for (int64_t i = 0; i < n; i++)
        slope[i] = (near[i] - far[i]) + margin >= 0; /* passes at 0 */
}

#include "elementwise.h"
