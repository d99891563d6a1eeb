/* Margin ranking loss: max(0, -y (a - b) + margin). */
#include "convert.h"

#define STEM margin_ranking
#define LOAD_LABEL load

static inline double term(double margin, double a, double b, double y, double *slope)
{
    double z = margin - y * (a - b);
    *slope = z >= 0 ? -y : 0; /* passes at 0, shut for NaN */
    return z < 0 ? 0 : z;     /* NaN stays */
}

#include "elementwise.h"
