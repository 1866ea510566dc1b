#include "helper/processes.h"

bool process_id_equals(struct process_id a, struct process_id b) {
    return a.pid == b.pid && a.start == b.start;
}

size_t processes_lineage(struct processes *processes, int32_t pid, struct process_id *out, size_t capacity) {
    size_t count = 0;
    struct process_sample child, parent, again;
    if (processes->look_up(processes, pid, &child, NULL) != STATUS_OK)
        return 0;
    while (count < capacity && child.parent > 0) {
        if (processes->look_up(processes, child.parent, &parent, NULL) != STATUS_OK)
            break;
        /* A parent that ended meanwhile has left its child to another one: then its number proves nothing. */
        if (processes->look_up(processes, child.id.pid, &again, NULL) != STATUS_OK ||
            again.parent != child.parent || !process_id_equals(again.id, child.id))
            break;
        out[count++] = parent.id;
        child = parent;
    }
    return count;
}
