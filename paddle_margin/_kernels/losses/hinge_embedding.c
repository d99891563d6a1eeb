/* Hinge embedding loss: x where y is 1, max(0, margin - x) where it is -1, both otherwise. */
#include "convert.h"

#define STEM hinge_embedding
#define LOAD_LABEL load_signs

static inline double term(double margin, double x, double other, double y, double *slope)
{
    double z = margin - x;
    double hinge = z < 0 ? 0 : z;    /* NaN stays */
    double falling = z >= 0 ? -1 : 0; /* passes at 0, shut for NaN */
    (void)other;
    *slope = y == 1 ? 1 : y == -1 ? falling : 1 + falling;
    return y == 1 ? x : y == -1 ? hinge : x + hinge;
}

#include "elementwise.h"
