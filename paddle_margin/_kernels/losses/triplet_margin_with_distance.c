/* Triplet margin loss of two distances: max(0, near - far + margin). */
#include "convert.h"

#define STEM triplet_margin_with_distance
#define LOAD_LABEL load

static inline double term(double margin, double near, double far, double none, double *slope)
{
    double z = (near - far) + margin;
    (void)none;
    *slope = z >= 0;      /* passes at 0 */
    return z < 0 ? 0 : z; /* NaN stays */
}

#include "elementwise.h"
