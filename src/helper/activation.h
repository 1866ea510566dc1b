/* src/helper/activation.h - a listening socket that systemd or launchd opened for us. */
#ifndef SENTINEL_HELPER_ACTIVATION_H
#define SENTINEL_HELPER_ACTIVATION_H

#include <stdbool.h>

/* False: none was handed over; the helper makes its own. */
bool activation_take_socket(int *fd);

#endif
