/* Soft margin loss: log(1 + exp(-y x)), not for float64. */
#include "convert.h"
#include "logistic.h"

#define STEM soft_margin
#define LOAD_LABEL load

static inline double term(double margin, double x, double other, double y, double *slope)
{
    double logistic, loss = softplus(-y * x, &logistic);
    (void)margin, (void)other;
    *slope = logistic == 0 ? 0 : -y * logistic; /* 0 times infinity is 0 here */
    return loss;
}

#include "elementwise.h"
