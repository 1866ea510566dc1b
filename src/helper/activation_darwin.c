#include <launch.h>
#include <stdlib.h>

#include "helper/activation.h"

/* The key under Sockets in the plist. */
bool activation_take_socket(int *fd) {
    int *fds = NULL;
    size_t count = 0;
    bool taken = launch_activate_socket("Listener", &fds, &count) == 0 && count == 1;
    if (taken)
        *fd = fds[0];
    free(fds);
    return taken;
}
