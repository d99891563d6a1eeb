/* Soft margin loss: log(1 + exp(-y x)), not for float64. */
#include "convert.h"
#include "logistic.h"

#define STEM soft_margin
#define LOAD_LABEL load

static inline void terms(const Call *call, const double *x, const double *other, const double *y,
                         int64_t n, double *loss, double *slope)
{
    (void)call, (void)other;
    if (!slope) {
        for (int64_t i = 0; i < n; i++)
            loss[i] = softplus(-y[i] * x[i], NULL);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double logistic;
        loss[i] = softplus(-y[i] * x[i], &logistic);
        slope[i] = logistic == 0 ? 0 : -y[i] * logistic; /* 0 times infinity is 0 here */
    }
}

#include "elementwise.h"
