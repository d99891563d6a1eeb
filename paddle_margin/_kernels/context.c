/* Puts the context of a PyLayer back into its node; see _context.py, which finds the offsets. */
#include "kernel.h"

static int64_t of_node, of_context;
static void (*count_reference)(void *object);

/* Where a context has its node, and a node its context, in bytes. */
void set_offsets(int64_t node, int64_t context)
{
    of_node = node;
    of_context = context;
}

/* Python's Py_IncRef: its headers are not needed then. */
void set_counter(void (*counter)(void *)) { count_reference = counter; }

/* Give a node its context, unless it is there. The node gives the reference back when it dies. */
void put_back(char *context)
{
    char *node;
    void *present;
    memcpy(&node, context + of_node, sizeof node);
    memcpy(&present, node + of_context, sizeof present);
    if (present)
        return;
    count_reference(context);
    memcpy(node + of_context, &context, sizeof context);
}
