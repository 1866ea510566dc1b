/* src/helper/helper_protocol.h - what may be asked of the privileged helper, and what it answers.
 *
 * A Unix stream socket (macOS has no SOCK_SEQPACKET). Each frame is a 4-byte little-endian length, 1 to
 * HELPER_MESSAGE_MAX, then the message: version, operation, two zero bytes, request id, body. The first
 * request of a connection is HELLO. A request never carries a pid, a path, a command, an environment or a
 * signal number: a target is a random handle that the helper itself handed out a moment ago for a process
 * that it saw hot and still holds pinned.
 *
 * Both sides check everything: a short message, a trailing byte, an unknown operation, a bit that should be
 * zero or a byte in a text that is not printable ASCII is STATUS_INVALID, and the helper hangs up. Change
 * the version whenever a byte changes its meaning.
 *
 * Pure: no I/O, no clock, no memory of its own. Any thread. */
#ifndef SENTINEL_HELPER_HELPER_PROTOCOL_H
#define SENTINEL_HELPER_HELPER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    HELPER_PROTOCOL_VERSION = 1,
    HELPER_LENGTH_BYTES = 4,
    HELPER_MESSAGE_MAX = 4096,
    HELPER_FRAME_MAX = HELPER_LENGTH_BYTES + HELPER_MESSAGE_MAX,
    HELPER_LIST_MAX = 16,
};

enum helper_op {
    HELPER_HELLO = 1, /* who are you, and what is your time? */
    HELPER_LIST,      /* which processes did you measure hot? */
    HELPER_ACT,       /* do this to the process of that handle; answered when it is over */
    HELPER_STATUS,    /* policy, budget, switches */
    HELPER_RELEASE,   /* let every frozen process run again */
    HELPER_PAUSE,     /* touch nobody until told otherwise; survives a restart */
};

enum helper_rung {
    RUNG_DEPRIORITIZE = 1, /* lower its priority */
    RUNG_FREEZE,           /* stop it for a lease that ends by itself */
    RUNG_TERMINATE,        /* TERM, grace, KILL on the same identity */
    RUNG_RESTART_UNIT,     /* the unit that root's policy names for it */
    RUNG_RUN_HOOK,         /* the program that root's policy names for it */
};

enum helper_outcome {
    HELPER_TERMINATED = 1, /* gone after TERM */
    HELPER_KILLED,         /* gone after KILL */
    HELPER_DONE,           /* a rung other than terminate took effect */
    HELPER_WOULD,          /* dry run or observe mode: all was permitted, nothing was done */
    HELPER_REFUSED,        /* not permitted; nothing was done */
    HELPER_GONE,           /* it had ended by itself; nothing was signalled */
    HELPER_FAILED,         /* tried, and could not */
};

struct helper_handle {
    uint8_t bytes[16]; /* all zero: none was given out */
};

struct helper_act_request {
    struct helper_handle handle;
    enum helper_rung rung;
    bool dry_run;
    uint8_t key[16];     /* idempotency: the same key is answered with the same reply, and done once */
    int64_t deadline_ms; /* on the helper's monotonic clock, see HELLO: not begun after this */
};

struct helper_request {
    enum helper_op op;
    uint32_t id; /* comes back in the reply */
    union {
        struct helper_act_request act;
        bool pause;
    };
};

enum helper_capability {
    HELPER_CAN_PIN = 1,          /* signals go through a pidfd or an audit token, never to a number */
    HELPER_CAN_DEPRIORITIZE = 2, /* these need more than CAP_KILL; see deploy/systemd */
    HELPER_CAN_FREEZE = 4,
    HELPER_CAN_TERMINATE = 8,
    HELPER_CAN_RESTART_UNIT = 16,
    HELPER_CAN_RUN_HOOK = 32,
    HELPER_CAPABILITIES_ALL = 63,
};

struct helper_hello {
    char host_identity[65]; /* machine id: telemetry of another host must not lead to a deed here */
    char boot_id[37];
    int64_t monotonic_ms;
    uint32_t capabilities; /* bits of enum helper_capability */
    uint32_t grace_ms;     /* between TERM and KILL */
};

/* One process that the helper measured hot. The pid is for people: nobody can act on it. */
struct helper_candidate {
    struct helper_handle handle; /* zero unless allowed */
    int32_t pid;
    uint32_t uid;
    uint32_t cpu_milli; /* thousandths of one CPU */
    int64_t age_ms;
    bool allowed;
    char comm[32];
    char where[160]; /* cgroup (Linux) or path (macOS), cut to fit */
    char reason[96]; /* why not, when it is not allowed */
};

struct helper_list {
    size_t count;
    struct helper_candidate items[HELPER_LIST_MAX]; /* hottest first */
};

struct helper_act_reply {
    enum helper_outcome outcome;
    char reason[160]; /* for people */
};

enum helper_flag {
    HELPER_MODE_ACT = 1, /* unset: observe */
    HELPER_PAUSED = 2,
    HELPER_POLICY_OK = 4,
    HELPER_BREAKER_OPEN = 8,
    HELPER_FLAGS_ALL = 15,
};

struct helper_status_reply {
    uint32_t flags; /* bits of enum helper_flag */
    uint32_t deeds_last_minute, deeds_last_hour, deeds_last_day;
    uint32_t budget_per_minute, budget_per_hour, budget_per_day;
    uint32_t frozen;
    char text[160]; /* what is wrong, when the policy is not ok or the breaker is open */
};

struct helper_reply {
    enum helper_op op;
    uint32_t id;
    union {
        struct helper_hello hello;
        struct helper_list list;
        struct helper_act_reply act;
        struct helper_status_reply status;
        uint32_t released; /* how many run again */
        bool paused;
    };
};

/* The length that a frame's first four bytes claim. STATUS_INVALID: 0 or more than HELPER_MESSAGE_MAX. */
MUST_CHECK enum status helper_frame_length(const uint8_t header[HELPER_LENGTH_BYTES], size_t *length,
                                           struct error *err);

/* Both return the bytes of the whole frame, its length included. */
size_t helper_encode_request(const struct helper_request *request, uint8_t frame[HELPER_FRAME_MAX]);
/* A list that is too long for one frame loses its coolest rows. Bytes that are not printable ASCII are
 * sent as '?': comm is whatever the process itself says. */
size_t helper_encode_reply(const struct helper_reply *reply, uint8_t frame[HELPER_FRAME_MAX]);

/* `message` is a frame without its length. */
MUST_CHECK enum status helper_decode_request(const uint8_t *message, size_t length,
                                             struct helper_request *out, struct error *err);
MUST_CHECK enum status helper_decode_reply(const uint8_t *message, size_t length, struct helper_reply *out,
                                           struct error *err);

const char *helper_rung_name(enum helper_rung rung);          /* "terminate" */
const char *helper_outcome_name(enum helper_outcome outcome); /* "terminated" */

#endif
