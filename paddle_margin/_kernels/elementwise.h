/* An elementwise loss: its kernel, from the arithmetic of its elements.
 *
 * A loss's file includes this one and is included by it in turn (SELF), once with REAL as float
 * and once as double. At first it defines STEM, LOAD_LABEL (load or load_signs) and IN_DOUBLE, a
 * condition on the call, or ONLY_IN_DOUBLE. Where REAL is defined it defines terms_float or
 * terms_double: n losses, and where they are wanted their slopes with respect to the first
 * input; those of the second are the opposite.
 */
#include "convert.h"

#define NAMED(name) JOIN(name, REAL)

#define REAL double
#include SELF
#include "elementwise_task.h"
#undef REAL

#ifdef ONLY_IN_DOUBLE

KERNEL(STEM) { return run_tasks(call, TASK, task_double); }

#else

#define REAL float
#include SELF
#include "elementwise_task.h"
#undef REAL

KERNEL(STEM) { return run_tasks(call, TASK, IN_DOUBLE(call) ? task_double : task_float); }

#endif
