/* src/decide/action.h - the vocabulary of deeds; policy names them, act carries them out. */
#ifndef SENTINEL_DECIDE_ACTION_H
#define SENTINEL_DECIDE_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum action_kind { ACTION_NONE, ACTION_DEPRIORITIZE, ACTION_FREEZE, ACTION_TERMINATE };

/* How a deed ended, in the helper's words or in ours. */
enum action_outcome {
    OUTCOME_PENDING,     /* intended, and not yet answered */
    OUTCOME_TERMINATED,  /* the pinned process is gone after TERM */
    OUTCOME_KILLED,      /* it ignored TERM; gone after KILL on the same identity */
    OUTCOME_DONE,        /* a rung other than terminate took effect */
    OUTCOME_WOULD,       /* dry run: everything up to the last step was permitted */
    OUTCOME_REFUSED,     /* the helper said no; the reason says why */
    OUTCOME_GONE,        /* the process had ended by itself; nothing was signalled */
    OUTCOME_FAILED,      /* the helper tried and could not */
    OUTCOME_UNREACHABLE, /* no answer from the helper */
    OUTCOME_NO_TARGET,   /* no process that the helper offers explains the anomaly */
};

const char *action_kind_name(enum action_kind kind); /* "terminate" */
bool action_kind_parse(const char *text, enum action_kind *out);
const char *action_outcome_name(enum action_outcome outcome); /* "terminated" */
bool action_outcome_parse(const char *text, enum action_outcome *out);

/* One process that the helper measured hot. The pid is for people: nobody can act on it. */
struct candidate {
    uint8_t handle[16];
    int32_t pid;
    uint32_t uid;
    double cpu_ratio; /* of one CPU: 1.0 is one core busy; measured by the helper over its own interval */
    int64_t age_ms;
    char comm[32];
    char where[160]; /* cgroup (Linux) or path (macOS), cut to fit */
    bool allowed;    /* by the helper's own policy */
    char reason[96]; /* why not, when it is not */
};
enum { CANDIDATES_MAX = 16 };

/* One deed: what was intended, for whom, and how it ended. */
struct action {
    char id[33];          /* 32 hex digits: also the idempotency key towards the helper */
    char incident_id[33]; /* 32 hex digits */
    char host[256];
    enum action_kind kind;
    bool dry_run;
    struct candidate target;
    int64_t intended_at_ms, finished_at_ms; /* Unix; 0: not yet */
    enum action_outcome outcome;
    char reason[160]; /* for people */
    size_t candidate_count;
    struct candidate candidates[CANDIDATES_MAX]; /* all that were considered, the target too */
};

#endif
